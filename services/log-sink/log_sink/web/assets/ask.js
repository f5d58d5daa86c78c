// A fetch that outlasts a network that changes: that cuts what is under way, and is there again a moment later.

const CUT_MS = 500;

export async function ask(...request) {
  try {
    return await fetch(...request);
  } catch {
    await new Promise((resolve) => setTimeout(resolve, CUT_MS));
    return fetch(...request);
  }
}

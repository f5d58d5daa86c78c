// A fetch that is repeated when the network changes, which cuts requests and works again a moment later.

const CUT_MS = 500;

export async function ask(...request) {
  try {
    return await fetch(...request);
  } catch {
    await new Promise((resolve) => setTimeout(resolve, CUT_MS));
    return fetch(...request);
  }
}

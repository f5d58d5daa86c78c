// A fetch that is repeated once if it fails, because a change of the network aborts requests.

const CUT_MS = 500;

export async function ask(...request) {
  try {
    return await fetch(...request);
  } catch {
    await new Promise((resolve) => setTimeout(resolve, CUT_MS));
    return fetch(...request);
  }
}

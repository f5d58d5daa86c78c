// Asks each service for its health, which needs no session, and shows the answers while the page is visible.
const EVERY_MS = 15_000;
const PATIENCE_MS = 10_000;
const rows = [...document.querySelectorAll("[data-health]")];

const ask = async (address) => {
  try {
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    const said = await answer.json();
    // A problem document is Caddy's: the service itself did not answer.
    if (!said.service) return { state: "does not answer" };
    return { good: said.status === "ok", state: said.status === "ok" ? "ready" : said.reason ?? said.status, ...said };
  } catch {
    return { state: "does not answer" };
  }
};

const show = (row, found) => {
  row.dataset.state = found.good ? "good" : "bad";
  row.cells[1].textContent = found.state;
  row.cells[2].textContent = found.version ?? "";
};

const refresh = async () => {
  const found = await Promise.all(rows.map((row) => ask(row.dataset.health)));
  rows.forEach((row, index) => show(row, found[index]));
  const ready = found.filter((one) => one.good).length;
  const state = document.querySelector("#state");
  const said = ready === rows.length ? "All services are ready." : `${ready} of ${rows.length} services are ready.`;
  if (state.textContent !== said) state.textContent = said; // a screen reader reads each change
  state.dataset.state = ready === rows.length ? "good" : "bad";
  const identities = [...new Set(found.map((one) => one.stack_id).filter(Boolean))];
  document.querySelector("#identity").textContent = identities.length ? `Stack ${identities.join(", ")}` : "";
};

await refresh();
setInterval(() => { if (!document.hidden) refresh(); }, EVERY_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });

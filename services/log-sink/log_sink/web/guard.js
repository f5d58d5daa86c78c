// Stands in the page itself, so that it is there whatever else is not. One script that is cut off on its way (by a
// network that changes, by a recorder that restarts) would leave "Loading…" on the screen for ever.
{
  const PATIENCE_MS = 30000;
  // The first time at once: most cuts are over by then. A page that still gets no further asks like Caddy's, every 5 s.
  const WAIT_MS = performance.getEntriesByType("navigation")[0]?.type === "reload" ? 5000 : 1000;
  let tried = false;

  const again = (what) => {
    if (tried) return;
    tried = true;
    const notice = document.createElement("p");
    notice.className = "alarm";
    notice.setAttribute("role", "alert");
    notice.textContent = `${what} Trying again…`;
    document.body?.prepend(notice);
    setTimeout(() => location.reload(), WAIT_MS);
  };

  // In the capturing phase: a script or style sheet that does not come tells nobody but itself.
  addEventListener("error", ({ target }) => {
    if (target instanceof HTMLScriptElement || target instanceof HTMLLinkElement) again("A part of this page did not arrive.");
  }, true);
  setTimeout(() => { if (document.querySelector("[data-state=loading]")) again("This page did not start."); }, PATIENCE_MS);
}

// Stands in the page itself, so that it is there whatever else is not. One script that is cut off on its way (by a
// network that changes, by a recorder that restarts) would leave "Loading…" on the screen for ever.
{
  const PATIENCE_MS = 30000;
  // The first time at once: most cuts are over by then. A page that still gets no further asks like Caddy's, every 5 s.
  const WAIT_MS = performance.getEntriesByType("navigation")[0]?.type === "reload" ? 5000 : 1000;
  let reloading = false;

  const reload = (why) => {
    if (reloading) return;
    reloading = true;
    const notice = document.createElement("p");
    notice.className = "alarm";
    notice.setAttribute("role", "alert");
    notice.textContent = `${why} Trying again…`;
    document.body?.prepend(notice);
    setTimeout(() => location.reload(), WAIT_MS);
  };

  // In the capturing phase: what does not come tells nobody but its own element.
  addEventListener("error", ({ target }) => {
    if (target instanceof HTMLScriptElement) reload("A part of this page did not arrive.");
    // Without its style a page works, and somebody may be typing: only the style is asked for again.
    else if (target instanceof HTMLLinkElement) setTimeout(() => target.replaceWith(target.cloneNode()), WAIT_MS);
  }, true);
  setTimeout(() => { if (document.querySelector("[data-state=loading]")) reload("This page did not start."); }, PATIENCE_MS);
}

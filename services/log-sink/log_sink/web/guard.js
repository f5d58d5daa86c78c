// This script is inline, so it runs even if the others fail to load (the network changes, the recorder restarts).
// Without it the page would show "Loading…" for ever.
{
  const PATIENCE_MS = 30000;
  // The first retry is early, because most outages are short. Later ones follow every 5 s, as on Caddy's page.
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

  // In the capturing phase: an element's load error does not bubble.
  addEventListener("error", ({ target }) => {
    if (target instanceof HTMLScriptElement) reload("A part of this page did not load.");
    // The page works without its style, and the user may be typing, so only the style is reloaded.
    else if (target instanceof HTMLLinkElement) setTimeout(() => target.replaceWith(target.cloneNode()), WAIT_MS);
  }, true);
  setTimeout(() => { if (document.querySelector("[data-state=loading]")) reload("This page did not start."); }, PATIENCE_MS);
}

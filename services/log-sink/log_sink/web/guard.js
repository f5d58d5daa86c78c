// This script is in the page itself, so it is there even if the others are not. If one of those is cut off (the network
// changes, the recorder restarts), the page would show "Loading…" for ever.
{
  const PATIENCE_MS = 30000;
  // The first time at once, because most cuts are short. A page that still does not load retries every 5 s, as Caddy's does.
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
    if (target instanceof HTMLScriptElement) reload("A part of this page did not arrive.");
    // A page works without its style, and someone may be typing, so only the style is loaded again.
    else if (target instanceof HTMLLinkElement) setTimeout(() => target.replaceWith(target.cloneNode()), WAIT_MS);
  }, true);
  setTimeout(() => { if (document.querySelector("[data-state=loading]")) reload("This page did not start."); }, PATIENCE_MS);
}

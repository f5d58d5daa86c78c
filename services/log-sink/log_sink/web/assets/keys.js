// Keyboard shortcuts.

import { byId } from "./dom.js";

// actions: move(step), toggle(), byRequest(), newest(), back()
export function listenToKeys(actions) {
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "Escape") {
      if (typing) event.target.blur();
      else actions.back();
      return;
    }
    if (typing) return;
    const action = {
      j: () => actions.move(1),
      k: () => actions.move(-1),
      ArrowDown: event.target.matches(".row") ? () => actions.move(1) : undefined,
      ArrowUp: event.target.matches(".row") ? () => actions.move(-1) : undefined,
      Enter: event.target === document.body ? () => actions.toggle() : undefined,
      r: () => actions.byRequest(),
      g: () => actions.newest(),
      "/": () => byId("filter-text").focus(),
      "?": () => byId("help").showModal(),
    }[event.key];
    if (action) { event.preventDefault(); action(); }
  });
}

// The list of rows. Existing rows are reused, so that open ones stay open and the focus does not move.

import { byId } from "./dom.js";
import { isOpen, makeRow } from "./row.js";
import { clock } from "./time.js";

export class List {
  #rows = new Map();
  #actions;
  #node = byId("list");
  #selected = null;

  constructor(actions) {
    this.#actions = actions;
    this.#node.addEventListener("focusin", (event) => {
      const row = event.target.closest("li.entry");
      if (row) this.#select(row);
    });
  }

  get anyOpen() { return [...this.#rows.values()].some(isOpen); }
  get selected() { return this.#selected?.isConnected ? this.#selected : null; }

  show(items, { fresh }) {
    const wanted = new Set(items.map((item) => item.id));
    for (const [id, row] of this.#rows) {
      if (!wanted.has(id)) { row.remove(); this.#rows.delete(id); }
    }
    const today = clock(new Date().toISOString()).length;
    this.#node.classList.toggle("days", items.some((item) => item.kind === "entry" && clock(item.entry.ts).length > today));
    let next = this.#node.firstChild;
    for (const item of items) {
      let row = this.#rows.get(item.id);
      if (row === undefined) {
        row = makeRow(item, this.#actions);
        if (fresh) row.classList.add("fresh");
        this.#rows.set(item.id, row);
      }
      if (row === next) next = next.nextSibling;
      else this.#node.insertBefore(row, next);
    }
  }

  move(step) {
    const rows = [...this.#node.querySelectorAll("li.entry")];
    if (rows.length === 0) return;
    const at = rows.indexOf(this.selected);
    const to = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step));
    rows[to].querySelector(".row").focus({ preventScroll: true });
    rows[to].scrollIntoView({ block: "nearest" });
  }

  closeAll() {
    for (const row of this.#rows.values()) if (isOpen(row)) row.querySelector(".row").click();
  }

  #select(row) {
    this.#selected?.classList.remove("selected");
    this.#selected = row;
    row.classList.add("selected");
  }
}

// The newest entries and the gaps between them, newest first, and those that wait while the user reads.

// The page contains the recorder's limits.
const kept = document.documentElement.dataset;
const CAP = Number(kept.logCap);
const FAULTS_CAP = Number(kept.faultsKept); // per group of faults: errors of clients, and failed requests
export const LEVELS = kept.levels.split(" ");

// An item is {kind: "entry", id, entry} or {kind: "gap", id, missed} or {kind: "reset", id, since}.
export class Store {
  #items = [];
  #held = null;
  #marks = 0;

  replace(entries) {
    this.#items = entries.map((entry) => ({ kind: "entry", id: entry.id, entry }));
    this.#held = null;
  }

  add(entry) {
    this.#put({ kind: "entry", id: entry.id, entry });
  }

  addGap(missed) {
    this.#put({ kind: "gap", id: `gap-${++this.#marks}`, missed });
  }

  reset(since) {
    this.#items = [];
    this.#held = null;
    this.#put({ kind: "reset", id: `reset-${++this.#marks}`, since });
  }

  // While the user reads, the list does not move and new entries wait.
  hold() { this.#held ??= this.#items; }
  release() { this.#held = null; }

  get shown() { return this.#held ?? this.#items; }
  get entries() { return entriesOf(this.#items); }

  waiting(matches) {
    if (this.#held === null) return 0;
    const seen = new Set(this.#held.map((item) => item.id));
    return entriesOf(this.#items).filter((entry) => !seen.has(entry.id) && matches(entry)).length;
  }

  #put(item) {
    const replaced = item.entry?.replaces;
    const items = withinShare([item, ...this.#items.filter((each) => each.id !== replaced)]);
    let entries = 0;
    const end = items.findIndex((each) => each.kind === "entry" && ++entries > CAP);
    this.#items = end < 0 ? items : items.slice(0, end);
  }
}

// As in the recorder: only newer faults of a group replace the oldest of that group.
function withinShare(items) {
  const seen = {};
  return items.filter((item) => {
    const group = item.entry?.kind?.split(".", 1)[0];
    if (group === undefined) return true;
    seen[group] = (seen[group] ?? 0) + 1;
    return seen[group] <= FAULTS_CAP;
  });
}

const entriesOf = (items) => items.filter((item) => item.kind === "entry").map((item) => item.entry);

// Connects the parts: the feed fills the store, filters select, the list displays.

import { ask } from "./ask.js";
import { byId, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { Filters } from "./filters.js";
import { listenToKeys } from "./keys.js";
import { List } from "./list.js";
import * as states from "./states.js";
import { Store } from "./store.js";
import { drawPicture, droppedBySource, showCounts, showLastError } from "./summary.js";
import { number } from "./time.js";

const SCROLLED_PX = 120;
const NO_FRAME_MS = 250;
const SEEN = "recorder-dropped-seen";

const store = new Store();
let line = "loading", detail = "", since = null, stats = null, loaded = false, drawing = false;

const filters = new Filters(() => draw());
const list = new List({ byRequest, toggled: draw });

function byRequest(id) {
  list.closeAll();
  filters.set({ service: "", level: "", q: "", request_id: id });
  window.scrollTo({ top: 0 });
}

const reading = () => window.scrollY > SCROLLED_PX || list.anyOpen;

function newest() {
  list.closeAll();
  window.scrollTo({ top: 0 });
  draw();
}

// At most once per frame. A page in the background gets no frames, but its title must stay current.
function draw() {
  if (drawing) return;
  drawing = true;
  const once = () => { if (drawing) { drawing = false; render(); } };
  requestAnimationFrame(once);
  setTimeout(once, NO_FRAME_MS);
}

function render() {
  if (reading()) store.hold();
  else store.release();
  const matches = (entry) => filters.matches(entry);
  const items = store.shown.filter((item) => item.kind !== "entry" || matches(item.entry));
  const entries = store.entries;
  filters.offer(entries);
  list.show(items, { fresh: loaded });
  drawPicture(entries, (service) => filters.set({ service }));
  showLastError(entries);
  showWaiting(store.waiting(matches));
  states.showLine(line === "live" && reading() ? "paused" : line);
  states.showAlarm(alarm());
  const shown = items.filter((item) => item.kind === "entry").length;
  setText(byId("shown"), loaded && filters.active ? `${number(shown)} of ${number(entries.length)} kept entries` : "");
  showBlank(shown, entries.length);
}

function showBlank(shown, total) {
  if (line === "signin") states.showSignIn();
  else if (line === "forbidden") states.showForbidden();
  else if (!loaded && line === "loading") states.showLoading();
  else if (!loaded) states.showUnreachable(detail);
  else if (shown > 0) states.hideBlank();
  else if (total > 0) states.showNoMatch(total, () => filters.clear());
  else states.showEmpty(since);
}

function showWaiting(count) {
  byId("new").hidden = count === 0;
  setText(byId("new"), `↑ ${number(count)} new`);
}

function alarm() {
  if (line === "down" && loaded) return { text: `The live connection is down (${detail}). The entries may be outdated; this page keeps trying.` };
  if (line === "away") return { text: `${detail} The entries may be outdated.` };
  if (stats === null || stats.dropped === 0 || sessionStorage.getItem(SEEN) === droppedKey()) return null;
  const were = stats.dropped === 1 ? "entry was" : "entries were";
  return { text: `${number(stats.dropped)} ${were} dropped and will never be seen here (${droppedBySource(stats)}).`, dismissable: true };
}

const droppedKey = () => `${stats.since} ${stats.dropped}`;

byId("alarm-seen").addEventListener("click", () => { sessionStorage.setItem(SEEN, droppedKey()); draw(); });

byId("sign-out").addEventListener("click", async () => {
  const answer = await ask("/auth/logout", { method: "POST" }).catch(() => null);
  if (answer?.ok) location.assign("/logs/login");
  else setText(byId("sign-out"), "Still signed in; try again");
});

function showStats(fresh) {
  stats = fresh;
  since = fresh.since;
  showCounts(fresh);
  draw();
}

byId("new").addEventListener("click", newest);
window.addEventListener("scroll", draw, { passive: true });
setInterval(() => showLastError(store.entries), 1000);

listenToKeys({
  move: (step) => list.move(step),
  toggle: () => list.selected?.querySelector(".row").click(),
  byRequest: () => list.selected?.querySelector(".request")?.click(),
  newest,
  back: () => { if (list.anyOpen) list.closeAll(); else if (filters.active) filters.clear(); },
});

new Feed({
  all: (items, from) => { store.replace(items); since = from; render(); loaded = true; draw(); },
  entry: (entry) => { store.add(entry); draw(); },
  gap: (missed) => { store.addGap(missed); draw(); },
  reset: (from) => { store.reset(from); since = from; draw(); },
  stats: showStats,
  state: (state, why = "") => { line = state; detail = why; draw(); },
}).start();
draw();

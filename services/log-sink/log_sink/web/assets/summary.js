// The summary by service and level, and the counts, which must balance.

import { byId, el, setText, svg } from "./dom.js";
import { LEVELS } from "./store.js";
import { ago, clock, number } from "./time.js";

const WIDTH = 320, ROW = 22, LABEL = 112, COUNT = 34, BAR = 10;

export function drawPicture(entries, pick) {
  const services = new Map();
  for (const entry of entries) {
    const counts = services.get(entry.service) ?? {};
    counts[entry.level] = (counts[entry.level] ?? 0) + 1;
    services.set(entry.service, counts);
  }
  const rows = [...services].map(([name, counts]) => ({ name, counts, total: LEVELS.reduce((sum, level) => sum + (counts[level] ?? 0), 0) }))
    .sort((a, b) => b.total - a.total || a.name.localeCompare(b.name));
  const holder = byId("picture");
  const key = JSON.stringify(rows);
  if (holder.dataset.key === key) return;
  holder.dataset.key = key;
  if (rows.length === 0) { holder.replaceChildren(); return; }
  const scale = (WIDTH - LABEL - COUNT) / rows[0].total;
  const words = rows.map((row) => `${row.name} ${LEVELS.map((level) => `${row.counts[level] ?? 0} ${level}`).join(", ")}`).join("; ");
  holder.replaceChildren(svg("svg", { viewBox: `0 0 ${WIDTH} ${rows.length * ROW}`, width: WIDTH, height: rows.length * ROW, role: "img", "aria-label": `Kept entries: ${words}` },
    ...rows.map((row, index) => drawRow(row, index * ROW, scale, pick))));
}

function drawRow(row, top, scale, pick) {
  const middle = top + ROW / 2;
  const name = row.name.length > 16 ? `${row.name.slice(0, 15)}…` : row.name;
  const group = svg("g", { class: "bar" }, svg("rect", { class: "hit", x: 0, y: top, width: WIDTH, height: ROW }),
    svg("text", { x: 0, y: middle, "dominant-baseline": "central" }, name));
  let left = LABEL;
  for (const level of LEVELS) {
    const width = (row.counts[level] ?? 0) * scale;
    if (width === 0) continue;
    group.append(svg("rect", { class: `fill-${level}`, x: left, y: middle - BAR / 2, width: Math.max(width - 1, 1.5), height: BAR, rx: 1.5 },
      svg("title", {}, `${row.counts[level]} ${level}`)));
    left += Math.max(width, 2);
  }
  group.append(svg("text", { class: "number", x: left + 6, y: middle, "dominant-baseline": "central" }, String(row.total)));
  group.addEventListener("click", () => pick(row.name));
  return group;
}

const EXPLAINED = {
  received: "entries that reached the recorder",
  kept: "entries that are here now",
  superseded: "older entries that newer ones replaced",
  dropped: "entries that were lost on the way or could not be read",
};

export function showCounts(stats) {
  const items = Object.entries(EXPLAINED).map(([name, meaning]) =>
    el("div", { title: meaning, class: name === "dropped" && stats.dropped > 0 ? "warn" : "" }, el("dt", {}, name), el("dd", { id: `count-${name}` }, number(stats[name]))));
  items.push(el("div", { title: `Earlier entries are not kept: ${stats.since}` }, el("dt", {}, "filling since"), el("dd", { id: "since" }, clock(stats.since))));
  byId("counts").replaceChildren(...items);
}

export function droppedBySource(stats) {
  return Object.entries(stats.by_service).filter(([, counts]) => counts.dropped > 0)
    .map(([name, counts]) => `${name === "unknown" ? "unreadable lines" : name} ${number(counts.dropped)}`).join(", ");
}

export function showLastError(entries) {
  const last = entries.find((entry) => entry.level !== "warning");
  setText(byId("last-error"), last ? `last error ${ago(last.ts)}` : entries.length ? "no error among the kept entries" : "");
  byId("last-error").classList.toggle("recent", Boolean(last) && /^\d+ s/.test(ago(last.ts)));
}

// One entry as a row: a line to skim, and the details behind it.

import { el } from "./dom.js";
import { clock, number } from "./time.js";

// actions: byRequest(id), toggled()
export function makeRow(item, actions) {
  if (item.kind === "gap") {
    return el("li", { class: "mark", data: { id: item.id } },
      `${number(item.missed)} ${item.missed === 1 ? "entry was" : "entries were"} superseded before this page could get them`);
  }
  if (item.kind === "reset") {
    return el("li", { class: "mark", data: { id: item.id } }, `The recorder was emptied (its Redis restarted); filling again since ${clock(item.since)}`);
  }
  return entryRow(item.entry, actions);
}

function entryRow(entry, actions) {
  const [firstLine] = entry.message.split("\n", 1);
  const line = el("button", { type: "button", class: "row", "aria-expanded": "false" },
    el("time", { class: "when", datetime: entry.ts, title: entry.ts }, clock(entry.ts)),
    el("span", { class: "level" }, entry.level),
    el("span", { class: "service" }, entry.service),
    el("span", { class: "message" },
      entry.count > 1 && el("strong", { class: "count" }, `×${number(entry.count)} in this minute`), firstLine),
    entry.exception && el("span", { class: "has-exception", title: "with exception" },
      el("span", { "aria-hidden": "true" }, "⋯"), el("span", { class: "sr-only" }, "with exception")));
  const row = el("li", { class: "entry", data: { id: entry.id, level: entry.level } }, line,
    entry.request_id && requestLink(entry.request_id, actions));
  line.addEventListener("click", () => { toggle(row, entry, actions); });
  return row;
}

function requestLink(id, actions) {
  return el("button", {
    type: "button", class: "request", title: `Everything with request id ${id}`, "aria-label": `Everything with request id ${id}`,
    on: { click: () => actions.byRequest(id) },
  }, id.length > 10 ? `${id.slice(0, 8)}…` : id);
}

export const isOpen = (row) => row.querySelector(".row")?.getAttribute("aria-expanded") === "true";

function toggle(row, entry, actions) {
  const line = row.querySelector(".row");
  const open = !isOpen(row);
  line.setAttribute("aria-expanded", String(open));
  if (open) row.append(details(entry, actions));
  else row.querySelector(".details")?.remove();
  actions.toggled();
}

function details(entry, actions) {
  const fields = Object.entries(entry.fields ?? {});
  return el("div", { class: "details" },
    el("pre", { class: "full-message" }, entry.message),
    entry.count > 1 && el("p", { class: "counted" }, `This is the first of ${number(entry.count)} of this kind in a minute.`),
    entry.truncated && el("p", { class: "cut" }, "This entry was longer than 16 KiB; … marks the cut."),
    entry.exception && el("pre", { class: "exception", tabindex: "0", "aria-label": "Exception" }, entry.exception),
    el("dl", { class: "facts" },
      ...fact("time", entry.ts), ...fact("logger", entry.logger || "—"),
      ...(entry.kind ? fact("kind", entry.kind) : []),
      ...(entry.request_id ? [el("dt", {}, "request"), el("dd", {}, el("button", { type: "button", class: "link", on: { click: () => actions.byRequest(entry.request_id) } }, entry.request_id))] : []),
      ...fields.flatMap(([name, value]) => fact(name, typeof value === "string" ? value : JSON.stringify(value, null, 1))),
      ...fact("id", entry.id)),
    copyButton(entry));
}

const fact = (name, value) => [el("dt", {}, name), el("dd", {}, value)];

function copyButton(entry) {
  const button = el("button", { type: "button", class: "quiet copy" }, "Copy as JSON");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(JSON.stringify(entry, null, 2));
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser refused to copy";
    }
    setTimeout(() => { button.textContent = "Copy as JSON"; }, 2000);
  });
  return button;
}

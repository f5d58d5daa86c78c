// The states in which the page shows no entries. Each looks different, so that a failure does not look like a healthy system.

import { byId, el, setText } from "./dom.js";
import { clock } from "./time.js";

const LINE = {
  loading: "Loading…",
  live: "Live",
  paused: "Live · on hold",
  down: "Not live",
  away: "Redis away",
  signin: "Signed out",
  forbidden: "Not allowed",
};

export function showLine(state) {
  byId("line").dataset.state = state;
  setText(byId("line-text"), LINE[state]);
  document.title = `${state === "live" || state === "paused" ? "" : `(${LINE[state]}) `}Recorder · Plumbline`;
}

// Some alarms can be dismissed: users stop reading an alarm that stays for ever.
export function showAlarm(alarm) {
  byId("alarm").hidden = alarm === null;
  setText(byId("alarm-text"), alarm?.text ?? "");
  byId("alarm-seen").hidden = !alarm?.dismissable;
}

const blank = (kind, ...children) => {
  const node = byId("blank");
  node.hidden = false;
  node.dataset.kind = kind;
  node.replaceChildren(...children);
};

export const hideBlank = () => { byId("blank").hidden = true; };

export function showLoading() {
  blank("loading", el("p", { class: "sr-only" }, "Loading entries"), ...Array.from({ length: 8 }, () => el("div", { class: "bone", "aria-hidden": "true" })));
}

export function showUnreachable(detail) {
  blank("down", el("h2", {}, "The recorder cannot be read"), el("p", {}, `${detail}.`.replace("..", ".")), el("p", { class: "hint" }, "This page keeps trying."));
}

export function showEmpty(since) {
  blank("empty", el("p", { class: "tick", "aria-hidden": "true" }, "✓"), el("h2", {}, "Nothing has gone wrong"),
    el("p", {}, since ? `No warning and no error since ${clock(since)}, when the recorder began to fill.` : "No warning and no error is kept."));
}

export function showNoMatch(total, clear) {
  blank("no-match", el("h2", {}, "No entry matches these filters"), el("p", {}, `${total} ${total === 1 ? "entry is" : "entries are"} kept.`),
    el("button", { type: "button", class: "primary", on: { click: clear } }, "Clear filters"));
}

export function showSignIn() {
  blank("signin", el("h2", {}, "You are signed out"), el("p", {}, "The session has ended, or there was none."),
    el("p", {}, el("a", { class: "primary", href: "/logs/login" }, "Sign in")));
}

export function showForbidden() {
  blank("forbidden", el("h2", {}, "This page is for operators"), el("p", {}, "You are signed in, but this account is not an operator."),
    el("p", {}, el("a", { class: "primary", href: "/logs/login" }, "Sign in as an operator")));
}

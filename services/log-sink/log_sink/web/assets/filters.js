// The filters. They are in the address bar, so that a view can be sent to a colleague.

import { byId, el } from "./dom.js";
import { LEVELS } from "./store.js";

const NAMES = ["service", "level", "request_id", "q"];

export class Filters {
  #changed;
  #values = { service: "", level: "", request_id: "", q: "" };
  #chips = new Map();

  constructor(changed) {
    this.#changed = changed;
    for (const level of LEVELS) {
      const chip = el("button", { type: "button", class: "chip", data: { level }, "aria-pressed": "false", on: { click: () => this.toggleLevel(level) } },
        el("span", { class: "chip-name" }, level), el("span", { class: "chip-count" }, "0"));
      this.#chips.set(level, chip);
      byId("levels").append(chip);
    }
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    for (const input of [byId("filter-service"), byId("filter-request"), byId("filter-text")]) {
      input.addEventListener("input", () => this.set({ [input.name]: input.value.trim() }, { replace: true }));
    }
    byId("clear").addEventListener("click", () => this.clear());
    window.addEventListener("popstate", () => this.#read());
    this.#read();
  }

  get active() { return NAMES.some((name) => this.#values[name] !== ""); }
  get requestId() { return this.#values.request_id; }

  set(values, { replace = false } = {}) {
    this.#values = { ...this.#values, ...values };
    const query = new URLSearchParams(NAMES.filter((name) => this.#values[name]).map((name) => [name, this.#values[name]]));
    const address = query.size ? `?${query}` : location.pathname;
    // Typing replaces the address; a click adds to the history, so Back returns to the view before.
    if (replace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    this.#show();
  }

  clear() { this.set({ service: "", level: "", request_id: "", q: "" }); }

  toggleLevel(level) {
    const levels = new Set(this.#values.level.split(",").filter(Boolean));
    if (!levels.delete(level)) levels.add(level);
    this.set({ level: LEVELS.filter((each) => levels.has(each)).join(",") });
  }

  matches(entry) {
    const { service, level, request_id, q } = this.#values;
    if (service && entry.service !== service) return false;
    if (level && !level.split(",").includes(entry.level)) return false;
    if (request_id && entry.request_id !== request_id) return false;
    if (!q) return true;
    const text = `${entry.message}\n${entry.logger}\n${entry.exception ?? ""}\n${JSON.stringify(entry.fields)}`;
    return text.toLowerCase().includes(q.toLowerCase());
  }

  // Offers every service that has entries, and the chosen one even if it has none.
  offer(entries) {
    const select = byId("filter-service");
    const names = new Set(entries.map((entry) => entry.service));
    if (this.#values.service) names.add(this.#values.service);
    const wanted = ["", ...[...names].sort()];
    if (wanted.join("\n") !== [...select.options].map((option) => option.value).join("\n")) {
      select.replaceChildren(...wanted.map((name) => el("option", { value: name }, name || "all services")));
    }
    select.value = this.#values.service;
    for (const [level, chip] of this.#chips) {
      chip.querySelector(".chip-count").textContent = String(entries.filter((entry) => entry.level === level).length);
    }
  }

  #read() {
    const query = new URLSearchParams(location.search);
    for (const name of NAMES) this.#values[name] = (query.get(name) ?? "").slice(0, 200);
    this.#show();
  }

  #show() {
    const { level, request_id, q } = this.#values;
    const levels = level.split(",");
    for (const [name, chip] of this.#chips) chip.setAttribute("aria-pressed", String(levels.includes(name)));
    if (byId("filter-request").value.trim() !== request_id) byId("filter-request").value = request_id;
    if (byId("filter-text").value.trim() !== q) byId("filter-text").value = q;
    byId("clear").hidden = !this.active;
    this.#changed();
  }
}

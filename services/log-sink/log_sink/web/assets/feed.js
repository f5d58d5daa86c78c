// Brings entries into the page: one fetch, then server-sent events that resume after an interruption.

import { learnClock } from "./time.js";

const SILENCE_MS = 15000; // the server sends something every 5 s
const CHECK_MS = 1000;
const BACKOFF_MS = [250, 1000, 2000, 4000, 8000];

// handlers: all(items, since), entry(entry), gap(missed), reset(since), stats(stats),
//           state("loading" | "live" | "down" | "away" | "signin" | "forbidden", detail)
export class Feed {
  #handlers;
  #last = "0";
  #loaded = false;
  #source = null;
  #attempt = 0;
  #receivedAt = 0;

  constructor(handlers) {
    this.#handlers = handlers;
    setInterval(() => this.#watch(), CHECK_MS);
  }

  async start() {
    let response;
    try {
      response = await fetch("/logs/entries", { signal: AbortSignal.timeout(5000) });
    } catch {
      return this.#again("the recorder cannot be reached");
    }
    learnClock(response);
    if (response.status === 401 || response.redirected) return this.#handlers.state("signin");
    if (response.status === 403) return this.#handlers.state("forbidden");
    if (!response.ok) return this.#again(await detailOf(response));
    let body;
    try {
      body = await response.json();
    } catch {
      return this.#again("the answer was incomplete");
    }
    if (!this.#loaded) {
      this.#loaded = true;
      this.#last = body.items[0]?.id ?? "0";
      this.#handlers.all(body.items, body.since);
    }
    this.#open();
  }

  #open() {
    this.#source?.close();
    const source = new EventSource(`/logs/stream?after=${encodeURIComponent(this.#last)}`);
    this.#source = source;
    this.#receivedAt = Date.now();
    const on = (name, handle) => source.addEventListener(name, (event) => {
      if (source !== this.#source) return;
      this.#receivedAt = Date.now();
      handle(JSON.parse(event.data), event);
    });
    source.onopen = () => { this.#attempt = 0; this.#receivedAt = Date.now(); };
    source.onerror = () => { if (source === this.#source) this.#again("the live connection broke"); };
    on("message", (entry, event) => { this.#last = event.lastEventId; this.#handlers.entry(entry); });
    on("gap", (gap) => this.#handlers.gap(gap.missed));
    on("reset", (reset) => { this.#last = "0"; this.#handlers.reset(reset.since); });
    on("stats", (stats) => { this.#handlers.state("live"); this.#handlers.stats(stats); });
    on("away", (away) => this.#handlers.state("away", away.detail));
  }

  #again(detail) {
    this.#source?.close();
    this.#source = null;
    const wait = BACKOFF_MS[Math.min(this.#attempt, BACKOFF_MS.length - 1)];
    // A stream that the server ends is reopened at once, so nothing is shown.
    if (this.#attempt > 0 || !this.#loaded) this.#handlers.state("down", detail);
    this.#attempt += 1;
    // With fetch, because EventSource does not report why it failed, for instance that the session has ended.
    setTimeout(() => this.start(), wait);
  }

  #watch() {
    if (this.#source !== null && Date.now() - this.#receivedAt > SILENCE_MS) this.#again("no data for 15 s");
  }
}

async function detailOf(response) {
  if (response.status === 502) return "the log-sink does not answer"; // Caddy's answer, also to users who are not operators
  try {
    return (await response.json()).detail ?? `it answered ${response.status}`;
  } catch {
    return `it answered ${response.status}`;
  }
}

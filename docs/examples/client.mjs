// A client of Plumbline: calls and live events with one session. For browsers, and Node.js 22 or newer.

const SESSION_ENDED = 4401; // With this code, the stack closes the socket of a session that has ended.

export class Client {
  static async login(address, username, password) {
    const client = new Client(address);
    const form = new URLSearchParams({ username, password });
    const session = await client.call("POST", "/auth/login", form);
    client.userId = session.user.id;
    client.headers = { Authorization: `Bearer ${session.access_token}` };
    return client;
  }

  constructor(address) {
    this.address = address;
    this.headers = {};
  }

  /** Make a call; throw an error with the reason if the stack refuses it. A plain object is sent as JSON. */
  async call(method, path, body) {
    const headers = { ...this.headers };
    if (body?.constructor === Object) {
      headers["Content-Type"] = "application/json";
      body = JSON.stringify(body);
    }
    const answer = await fetch(this.address + path, { method, headers, body });
    const said = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${said}`);
    return said && answer.headers.get("Content-Type")?.startsWith("application/json") ? JSON.parse(said) : said;
  }

  /**
   * Give every event after `since` to `onEvent`, in order, each once, also after a lost connection. The first one after
   * 0 is `read_again`: nothing that happens from then on is missed. Returns what ends it.
   */
  listen(onEvent, since = 0) {
    let socket;
    let stopped = false;
    const open = () => {
      if (stopped) return;
      const address = `${this.address.replace("http", "ws")}/ws/${this.userId}?since=${since}`;
      // A browser sends its cookie; only Node.js takes headers.
      socket = globalThis.document ? new WebSocket(address) : new WebSocket(address, { headers: this.headers });
      socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        since = event.event_id ?? since;
        onEvent(event);
      };
      socket.onclose = ({ code }) => {
        if (code !== SESSION_ENDED) setTimeout(open, 1000);
      };
    };
    open();
    return () => {
      stopped = true;
      socket.close();
    };
  }
}

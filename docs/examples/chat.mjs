// Post a message and see it arrive: node chat.mjs ADDRESS USERNAME CHANNEL_ID TEXT < FILE_WITH_PASSWORD

import { readFileSync } from "node:fs";
import { Client } from "./client.mjs";

if (typeof WebSocket === "undefined") {
  console.error(`Node.js ${process.versions.node} has no WebSocket: this needs Node.js 22 or newer.`);
  process.exit(1);
}
const [address, username, channelId, text] = process.argv.slice(2);
const client = await Client.login(address, username, readFileSync(0, "utf8").trim());
let posted;
const stop = client.listen((event) => {
  // The socket is open: no event is missed from here on.
  if (event.type === "read_again") posted ??= client.call("POST", `/channels/${channelId}/messages`, { content: text });
  if (event.type !== "message" || event.content !== text) return;
  console.log(`${event.display_name}: ${event.content}`);
  stop();
});

// Post a message and see it arrive: node chat.mjs ADDRESS USERNAME CHANNEL_ID TEXT < FILE_WITH_PASSWORD

import { readFileSync } from "node:fs";
import { Client } from "./client.mjs";

const [address, username, channelId, text] = process.argv.slice(2);
const client = await Client.login(address, username, readFileSync(0, "utf8").trim());
const message = await client.call("POST", `/channels/${channelId}/messages`, { content: text });
const stop = client.listen((event) => {
  if (event.type !== "message" || event.id !== message.id) return;
  console.log(`${event.display_name}: ${event.content}`);
  stop();
});

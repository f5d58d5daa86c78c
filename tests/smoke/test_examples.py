"""The client of docs/examples for browsers, in one. The runbook runs those for Python and Node.js.

Protects from an example that people copy and that does not work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plumbline import ROOT
from plumbline.stack import Stack
from plumbline.verification.checks import browser
from plumbline.verification.checks.client import User

CLIENT = (ROOT / "docs/examples/client.mjs").read_text()
CHAT = """
async ([address, username, password, channel]) => {
  CLIENT
  const client = await Client.login(address, username, password);
  let posted;
  const seen = await new Promise((found) => {
    const stop = client.listen((event) => {
      const path = `/channels/${channel}/messages`;
      if (event.type === "read_again") posted = client.call("POST", path, { content: "Hello" });
      if (event.type === "message") found([event.content, event.event_id > 0, stop()]);
    });
  });
  await posted;
  const refused = await client.call("GET", "/channels/0/messages").catch((error) => error.message);
  return [...seen.slice(0, 2), refused];
}
""".replace("CLIENT", CLIENT.replace("export class", "class"))


@pytest.mark.browser
def test_the_client_for_browsers_posts_a_message_and_sees_it_arrive(
    new_page: Callable[..., Any], stack: Stack, alice: User
) -> None:
    channel = alice.create_channel("private")["id"]
    page = new_page(stack.base_url)
    browser.visit(page, "/")
    content, has_event_id, refused = page.evaluate(CHAT, [stack.base_url, alice.username, alice.password, channel])
    assert (content, has_event_id) == ("Hello", True)
    assert refused.startswith("GET /channels/0/messages: 4"), refused

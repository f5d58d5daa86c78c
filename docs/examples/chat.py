"""Post a message and see it arrive: chat.py ADDRESS USERNAME CHANNEL_ID TEXT."""

from __future__ import annotations

from contextlib import closing

from client import Client, asked_arguments, asked_password

address, username, channel_id, text = asked_arguments(str(__doc__))
client = Client(address, username, asked_password())
with closing(client.events()) as events:
    next(events)  # The socket is open: no event is missed from here on.
    message = client.call("POST", f"/channels/{channel_id}/messages", json={"content": text}).json()
    for event in events:
        if event["type"] == "message" and event["id"] == message["id"]:
            print(f"{event['display_name']}: {event['content']}")
            break

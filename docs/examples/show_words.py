"""Show the words of a document with their boxes: show_words.py ADDRESS USERNAME DOCUMENT."""

from __future__ import annotations

from contextlib import closing

from client import Client, asked_arguments, asked_file, asked_password, wait_until_read

address, username, document_file = asked_arguments(str(__doc__))
file = asked_file(document_file)
client = Client(address, username, asked_password())

channel = client.call("POST", "/channels/", json={"name": "Words", "type": "private"}).json()
with closing(client.events()) as events:
    next(events)  # The socket is open: no event is missed from here on.
    document = client.upload(channel["id"], file)
    wait_until_read(events, document["id"])

for number in range(1, document["page_count"] + 1):
    page = client.call("GET", f"/data-processor/documents/{document['id']}/pages/{number}/text").json()
    print(f"page {number}")
    for word in page["words"]:
        x, y, width, height = word["box"]
        box = (x / page["width"], y / page["height"], width / page["width"], height / page["height"])
        print(*(f"{part:.3f}" for part in box), "", word["text"])
client.call("DELETE", f"/channels/{channel['id']}")

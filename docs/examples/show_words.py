"""Show the lines of a document with their boxes: show_words.py ADDRESS USERNAME DOCUMENT."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from client import Client, asked_password

address, username, document_file = sys.argv[1:]
client = Client(address, username, asked_password())

file = Path(document_file)
channel = client.call("POST", "/channels/", json={"name": file.name, "type": "private"}).json()
upload = {"data": {"channel_id": channel["id"]}, "files": {"file": (file.name, file.read_bytes())}}
document = client.call("POST", "/data-processor/documents/", **upload).json()
next(event for event in client.events() if event["type"] == "ocr_complete" and event["document_id"] == document["id"])

for number in range(1, document["page_count"] + 1):
    page = client.call("GET", f"/data-processor/documents/{document['id']}/pages/{number}/text").json()
    print(f"page {number}")
    for _, words in groupby(page["words"], lambda word: word["line"]):
        line = list(words)
        left = min(word["box"][0] for word in line)
        top = min(word["box"][1] for word in line)
        right = max(word["box"][0] + word["box"][2] for word in line)
        bottom = max(word["box"][1] + word["box"][3] for word in line)
        box = (
            left / page["width"],
            top / page["height"],
            (right - left) / page["width"],
            (bottom - top) / page["height"],
        )
        print(*(f"{part:.3f}" for part in box), "", " ".join(word["text"] for word in line))
client.call("DELETE", f"/channels/{channel['id']}")

"""Read a document with a template: read_document.py ADDRESS USERNAME TEMPLATE DOCUMENT VALUES.csv."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from client import Client, asked_arguments, asked_file, asked_password

address, username, template_name, document_file, values_file = asked_arguments(str(__doc__))
file = asked_file(document_file)
client = Client(address, username, asked_password())
templates = client.call("GET", "/data-processor/templates/").json()["items"]  # the newest first
template = next((one for one in templates if one["name"] == template_name), None)
if template is None:
    sys.exit(f"{username} has no template {template_name!r} among the newest {len(templates)}: run make_template.py")

with closing(client.events()) as events:
    next(events)  # The socket is open: no event is missed from here on.
    document = client.upload(template["channel_id"], file)
    path = f"/data-processor/documents/{document['id']}"
    for event in events:
        if event.get("document_id") != document["id"]:
            continue
        print("event:", event["type"])
        if event["type"] == "ocr_complete":
            client.call("POST", f"{path}/apply-template/", json={"template_id": template["id"]})
        if event["type"] == "template_applied":
            break

for one in reversed(client.call("GET", f"{path}/annotations/").json()["items"]):
    print(f"{one['label_name']:<10}{one['validation_status']:<9}{one['text'].splitlines()[0]}")

exported = client.call("POST", f"{path}/export/", json={"format": "csv", "include_metadata": False})
Path(values_file).write_bytes(exported.content)

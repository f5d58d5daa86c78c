"""Make a template from a document: make_template.py ADDRESS USERNAME TEMPLATE.json DOCUMENT."""

from __future__ import annotations

import json
from contextlib import closing

from client import Client, asked_arguments, asked_file, asked_password, wait_until_read

address, username, template_file, document_file = asked_arguments(str(__doc__))
template, file = json.loads(asked_file(template_file).read_text(encoding="utf-8")), asked_file(document_file)
client = Client(address, username, asked_password())

channel = client.call("POST", "/channels/", json={"name": template["name"], "type": "private"}).json()
print(f"channel   {channel['id']}  {channel['name']}")

with closing(client.events()) as events:
    next(events)  # The socket is open: no event is missed from here on.
    document = client.upload(channel["id"], file)
    print(f"document  {document['id']}  {document['filename']}")
    wait_until_read(events, document["id"])

body = {**template, "channel_id": channel["id"], "source_document_id": document["id"]}
template = client.call("POST", "/data-processor/templates/", json=body).json()
print(f"template  {template['id']}  {', '.join(label['name'] for label in template['labels'])}")

"""Make a template from a document: make_template.py ADDRESS USERNAME TEMPLATE.json DOCUMENT."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from client import Client, asked_password

address, username, template_file, document_file = sys.argv[1:]
client = Client(address, username, asked_password())
template = json.loads(Path(template_file).read_text(encoding="utf-8"))

channel = client.call("POST", "/channels/", json={"name": template["name"], "type": "private"}).json()
print(f"channel   {channel['id']}  {channel['name']}")

file = Path(document_file)
upload = {"data": {"channel_id": channel["id"]}, "files": {"file": (file.name, file.read_bytes())}}
document = client.call("POST", "/data-processor/documents/", **upload).json()
print(f"document  {document['id']}  {document['filename']}")
next(event for event in client.events() if event["type"] == "ocr_complete" and event["document_id"] == document["id"])

body = {**template, "channel_id": channel["id"], "source_document_id": document["id"]}
template = client.call("POST", "/data-processor/templates/", json=body).json()
print(f"template  {template['id']}  {', '.join(label['name'] for label in template['labels'])}")

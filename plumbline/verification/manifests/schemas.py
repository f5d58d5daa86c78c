"""Every document is valid, without unknown fields, by the schemas of three Kubernetes versions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache

import kubernetes_validate

from plumbline.targets.kubernetes.model import Manifests

VERSIONS = ("1.33", "1.35", "1.37")
FOREIGN = ("postgresql.cnpg.io/", "monitoring.coreos.com/")
"""Resource types of operators, of which Kubernetes has no schema."""


def problems(manifests: Manifests) -> Iterator[str]:
    """Yield what is wrong, and in which version."""
    for version in VERSIONS:
        for document in manifests.documents:
            if not document["apiVersion"].startswith(FOREIGN):
                yield from _found(json.dumps(document, sort_keys=True), version)


@cache
def _found(text: str, version: str) -> tuple[str, ...]:
    # Cached, because most documents are the same in every overlay, and reading the schemas takes long.
    document = json.loads(text)
    name = f"{document['kind']} {document['metadata']['name']}"
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        place = ".".join(str(part) for part in error.path)
        return (f"{name} on Kubernetes {version}: {place or 'it'}: {error.message[:200]}",)
    except kubernetes_validate.SchemaNotFoundError:
        return (f"{name}: Kubernetes {version} knows no {document['kind']} of {document['apiVersion']}",)
    return ()

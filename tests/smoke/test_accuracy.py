"""Values of documents with known answers are read, and doubt is said: a sample of what `nox -s accuracy` measures.

Protects from values that are read wrongly, and said to be certain.
"""

from __future__ import annotations

import pytest

from plumbline.verification.checks.client import User
from tests.data.corpus import Document, corpus
from tests.data.measure import Client

SEED = 1
SAMPLE = {document.number: document for document in corpus(120, SEED)}


@pytest.fixture(scope="module")
def client(alice: User) -> Client:
    return Client(alice, int(alice.create_channel("private")["id"]), SEED)


def chosen(transform: str, kind: str, trait: str = "whole") -> Document:
    return next(
        one for one in SAMPLE.values() if (one.transform, one.layout.kind, one.trait) == (transform, kind, trait)
    )


def test_every_value_is_read_from_text_layers_forms_and_scans(client: Client) -> None:
    documents = [
        chosen("text layer", "invoice"),
        chosen("filled form", "letter"),
        chosen("clean", "form"),
        chosen("turned", "receipt"),
    ]
    total, wrong = client.measured(documents)
    assert wrong == []
    assert (total.raw, total.normalised, total.wrong_valid) == (total.fields, total.fields, 0)
    assert total.fields >= 15


def test_missing_malformed_and_foreign_values_are_told(client: Client) -> None:
    documents = [
        next(one for one in SAMPLE.values() if (one.transform, one.trait) == ("text layer", trait))
        for trait in ("missing", "wrong format", "stranger")
    ]
    total, wrong = client.measured(documents)
    assert wrong == []
    assert (total.missing_named, total.malformed_invalid, total.strangers_refused) == (1, 1, 1)

"""Templates made from documents, and applied to others: what is stored, and what a second run changes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from data_processor_testkit import samples
from data_processor_testkit.invoices import SIZE, Invoice, invoice, scanned
from data_processor_testkit.service import Person, Service, refusal
from psycopg.types.json import Jsonb

from plumbline.verification.throwaway import wait_until

PIXELS = 2
TYPES = {"date": "date", "total": "amount"}
FORMATS = {"number": r"\d{4}", "customer": r"K\d{3}"}


def put_text(service: Service, document: int, pages: list[list[dict[str, Any]]]) -> None:
    """Store words as the text of a document's pages, as if they had been read."""
    for number, words in enumerate(pages, 1):
        service.rows(
            "INSERT INTO page_texts (document_id, page, engine, angle, words, text)"
            " VALUES (%s, %s, 'tesseract', 0, %s, %s) RETURNING 1",
            document, number, Jsonb(words), " ".join(word["text"] for word in words),
        )  # fmt: skip


class Forms:
    """Invoices that are uploaded as pictures, and what applying their template gives."""

    def __init__(self, service: Service, person: Person, channel: int) -> None:
        self.service = service
        self.person = person
        self.channel = channel
        self.picture = samples.image(size=(int(SIZE[0] * PIXELS), int(SIZE[1] * PIXELS)))

    def upload(self, page: Invoice, **how: Any) -> int:
        document = int(self.person.upload(self.channel, self.picture).json()["id"])
        put_text(self.service, document, [scanned(page.words, pixels=PIXELS, **how)])
        return document

    def labels(self, page: Invoice, **changes: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "label_type": TYPES.get(name, "text"),
                "bounding_box": dict(zip(("x", "y", "width", "height"), box, strict=True)),
                "expected_format": FORMATS.get(name),
                "required": True,
            }
            | changes
            for name, box in page.boxes.items()
        ]

    def template(self, page: Invoice, source: int | None, **changes: Any) -> dict[str, Any]:
        body = {
            "channel_id": self.channel,
            "name": "Invoice",
            "date_order": "DMY",
            "decimal_separator": ".",
            "labels": self.labels(page),
            "source_document_id": source,
        } | changes
        made = self.person.post("templates/", json=body)
        assert made.status_code == 201, made.text
        return dict(made.json())

    def apply(self, document: int, template: int, **how: Any) -> dict[str, Any]:
        done = self.person.post(f"documents/{document}/apply-template/", json={"template_id": template} | how)
        assert done.status_code == 200, done.text
        return dict(done.json())


@pytest.fixture
def forms(service: Service, person: Person, channel: int) -> Forms:
    return Forms(service, person, channel)


@pytest.fixture
def template(forms: Forms) -> dict[str, Any]:
    return forms.template(invoice(0), forms.upload(invoice(0)))


def test_values_of_a_turned_page_are_stored_in_its_own_coordinates(
    service: Service, forms: Forms, template: dict[str, Any]
) -> None:
    page = invoice(7)
    document = forms.upload(page, degrees=9, scale=0.85, shift=12 - 8j)
    applied = forms.apply(document, template["id"])

    assert (applied["template_version"], applied["annotations_created"], applied["missing_required"]) == (1, 4, [])
    assert [(one["method"], one["needs_review"]) for one in applied["pages"]] == [("anchors", False)]
    assert (applied["needs_review"], applied["used_feature_matching"]) == (False, True)
    assert applied["match_result"]["success"]
    day, month, year = page.fields["date"].split(".")
    labels = {label["name"]: label["id"] for label in template["labels"]}
    assert service.rows(
        "SELECT label_name, text, normalised_value, validation_status, reason, template_id, template_label_id,"
        " template_version, value_type, created_by, reviewed_by FROM annotations WHERE document_id = %s ORDER BY id",
        document,
    ) == [
        (name, text, f"{year}-{month}-{day}" if name == "date" else text, "valid", None, template["id"], labels[name],
         1, TYPES.get(name, "text"), forms.person.id, None)
        for name, text in page.fields.items()
    ]  # fmt: skip
    # The middle of the turned value is in the box on the page.
    words = {
        word["text"]: word["box"] for word in scanned(page.words, pixels=PIXELS, degrees=9, scale=0.85, shift=12 - 8j)
    }
    for one in applied["annotations"]:
        box, (x, y, width, height) = one["bounding_box"], words[one["text"]]
        assert box["x"] < x + width / 2 < box["x"] + box["width"]
        assert box["y"] < y + height / 2 < box["y"] + box["height"]


def test_second_run_changes_nothing(service: Service, forms: Forms, template: dict[str, Any]) -> None:
    document = forms.upload(invoice(7))
    first = forms.apply(document, template["id"])
    stored = "SELECT to_jsonb(a) FROM annotations a WHERE document_id = %s ORDER BY id"
    before = service.rows(stored, document)
    second = forms.apply(document, template["id"])

    assert second == first | {"annotations_created": 0}
    assert service.rows(stored, document) == before


def test_word_of_a_person_survives_every_run(service: Service, forms: Forms, template: dict[str, Any]) -> None:
    document = forms.upload(invoice(7))
    made = {one["label_name"]: one for one in forms.apply(document, template["id"])["annotations"]}
    path = f"documents/{document}/annotations/"
    corrected = {"text": "9999", "validation_status": "corrected"}
    forms.person.call("PATCH", f"{path}{made['number']['id']}/", json=corrected)
    forms.person.call("PATCH", f"{path}{made['date']['id']}/", json={"validation_status": "valid"})
    forms.person.call("PATCH", f"{path}{made['customer']['id']}/", json={"text": "K000", "page": 1})
    kept = "SELECT to_jsonb(a) FROM annotations a WHERE document_id = %s AND reviewed_at IS NOT NULL ORDER BY id"
    before = service.rows(kept, document)
    assert len(before) == 3

    service.rows("UPDATE page_texts SET words = '[]' WHERE document_id = %s RETURNING 1", document)
    applied = forms.apply(document, template["id"])

    assert service.rows(kept, document) == before
    assert [one["label_name"] for one in applied["annotations"]] == ["number", "date", "customer"]
    assert applied["missing_required"] == ["total"]
    assert applied["needs_review"]


def test_corrected_text_is_read_as_its_label_is(service: Service, forms: Forms, template: dict[str, Any]) -> None:
    document = forms.upload(invoice(7))
    made = {one["label_name"]: one for one in forms.apply(document, template["id"])["annotations"]}

    def change(name: str, **fields: Any) -> tuple[Any, Any]:
        path = f"documents/{document}/annotations/{made[name]['id']}/"
        changed = forms.person.call("PATCH", path, json=fields).json()
        return changed["normalised_value"], changed["reason"]

    assert change("date", text="1.2.2026", validation_status="corrected") == ("2026-02-01", None)
    assert change("date", text="soon") == (None, "not_a_date")
    assert change("date", validation_status="valid") == (None, "not_a_date")
    assert change("date", text=None) == (None, None)
    assert change("total", text="1.234") == ("1.234", None)
    assert change("number", text="12 34") == ("12 34", None)
    service.rows("UPDATE annotations SET reason = 'confidence' WHERE document_id = %s RETURNING 1", document)
    assert change("customer", page=1) == (made["customer"]["text"], "confidence")
    assert change("customer", validation_status="valid") == (made["customer"]["text"], None)


def test_changed_template_replaces_what_was_not_reviewed(
    service: Service, forms: Forms, template: dict[str, Any]
) -> None:
    document = forms.upload(invoice(7))
    made = {one["label_name"]: one["id"] for one in forms.apply(document, template["id"])["annotations"]}
    path = f"documents/{document}/annotations/{made['customer']}/"
    forms.person.call("PATCH", path, json={"validation_status": "valid"})
    labels = [label | {"expected_format": r"\d{5}"} for label in forms.labels(invoice(0)) if label["name"] == "number"]
    changed = forms.person.call(
        "PUT", f"templates/{template['id']}/", json={"name": "Invoice", "labels": labels}
    ).json()

    assert (changed["version"], changed["anchored_pages"]) == (2, [1])
    assert changed["source_document_id"] == template["source_document_id"]
    applied = forms.apply(document, template["id"])
    assert [(one["label_name"], one["id"], one["template_version"], one["validation_status"], one["reason"])
            for one in applied["annotations"]] == [
        ("number", made["number"], 2, "invalid", "format"),
        ("customer", made["customer"], 1, "valid", None),
    ]  # fmt: skip


def test_annotation_that_a_person_moved_to_another_page_is_not_made_again(service: Service, forms: Forms) -> None:
    page = samples.pdf([("[0 0 595 842]", ""), ("[0 0 595 842]", "")])
    document = forms.person.upload(forms.channel, page).json()["id"]
    words = scanned(invoice(7).words)
    put_text(service, document, [words, words])
    every = forms.labels(invoice(0), every_page=True)[0]
    template = forms.template(invoice(0), document, labels=[forms.labels(invoice(0))[1], every])
    made = forms.apply(document, template["id"])["annotations"]
    assert [(one["page"], one["label_name"]) for one in made] == [(1, "date"), (1, "number"), (2, "number")]
    path = f"documents/{document}/annotations/"
    assert forms.person.call("PATCH", f"{path}{made[0]['id']}/", json={"page": 2}).status_code == 200
    again = forms.apply(document, template["id"])["annotations"]
    assert sorted(one["id"] for one in again) == sorted(one["id"] for one in made)
    body = refusal(forms.person.call("PATCH", f"{path}{made[1]['id']}/", json={"page": 2}), 422, "invalid")
    assert [error["field"] for error in body["errors"]] == ["page"]


def test_change_by_a_person_during_a_run_survives(service: Service, forms: Forms, template: dict[str, Any]) -> None:
    document = forms.upload(invoice(7))
    number = forms.apply(document, template["id"])["annotations"][0]
    service.rows("UPDATE annotations SET text = 'old' WHERE document_id = %s RETURNING 1", document)
    with ThreadPoolExecutor(1) as other:
        with service.database() as connection, connection.transaction():
            connection.execute(
                "UPDATE annotations SET text = '7777', validation_status = 'corrected', reviewed_at = now()"
                " WHERE id = %s",
                (number["id"],),
            )
            run = other.submit(forms.apply, document, template["id"])
            wait_until(lambda: service.rows(_waiting("FOR UPDATE")) != [], "the run waits for the change")
        applied = {one["label_name"]: one for one in run.result()["annotations"]}
    assert (applied["number"]["text"], applied["number"]["validation_status"]) == ("7777", "corrected")
    assert applied["total"]["text"] == invoice(7).fields["total"]


def test_runs_at_the_same_time_double_nothing(service: Service, forms: Forms, template: dict[str, Any]) -> None:
    document = forms.upload(invoice(7))
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: forms.apply(document, template["id"]), range(2)))
    assert sorted(run["annotations_created"] for run in runs) == [0, 4]
    assert service.rows("SELECT count(*) FROM annotations WHERE document_id = %s", document) == [(4,)]


def _waiting(statement: str) -> str:
    return f"SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%{statement}%%'"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ("DELETE FROM documents WHERE id = %(document)s", 404, "no_such_document"),
        ("DELETE FROM memberships WHERE user_id = %(user)s", 403, "not_a_member"),
        ("DELETE FROM templates WHERE id = %(template)s", 404, "no_such_template"),
    ],
    ids=["document", "member", "template"],
)
def test_what_goes_away_during_a_run_is_a_refusal_and_leaves_nothing(
    service: Service, forms: Forms, template: dict[str, Any], change: str, status: int, code: str
) -> None:
    document = forms.upload(invoice(7))
    path = f"documents/{document}/apply-template/"
    names = {"document": document, "user": forms.person.id, "template": template["id"]}
    with ThreadPoolExecutor(1) as other:
        with service.database() as connection, connection.transaction():
            connection.execute(change, names)
            run = other.submit(forms.person.post, path, json={"template_id": template["id"]})
            wait_until(lambda: service.rows(_waiting("FOR %%")) != [], "the run waits for the deletion")
        refusal(run.result(), status, code)
    assert service.rows("SELECT 1 FROM annotations WHERE document_id = %s", document) == []


def test_template_changed_during_a_run_is_applied_in_its_new_version(
    service: Service, forms: Forms, template: dict[str, Any]
) -> None:
    document = forms.upload(invoice(7))
    with ThreadPoolExecutor(1) as other:
        with service.database() as connection, connection.transaction():
            connection.execute("UPDATE templates SET version = 2 WHERE id = %s", (template["id"],))
            connection.execute(
                "UPDATE template_labels SET expected_format = 'x' WHERE template_id = %s", (template["id"],)
            )
            run = other.submit(forms.apply, document, template["id"])
            wait_until(lambda: service.rows(_waiting("FOR SHARE")) != [], "the run waits for the change")
        applied = run.result()
    assert applied["template_version"] == 2
    assert {one["validation_status"] for one in applied["annotations"]} == {"invalid"}


def test_anchors_outlive_their_document(service: Service, forms: Forms, template: dict[str, Any]) -> None:
    assert (template["anchored_pages"], template["source_page"]) == ([1], 1)
    forms.person.call("DELETE", f"documents/{template['source_document_id']}/")
    kept = forms.person.get(f"templates/{template['id']}/").json()
    assert (kept["anchored_pages"], kept["source_document_id"]) == ([1], None)
    applied = forms.apply(forms.upload(invoice(7), degrees=-11), template["id"])
    assert [one["text"] for one in applied["annotations"]] == list(invoice(7).fields.values())
    assert not applied["needs_review"]

    without = {"name": "Invoice", "labels": [], "source_document_id": None}
    assert forms.person.call("PUT", f"templates/{template['id']}/", json=without).json()["anchored_pages"] == []
    assert service.rows("SELECT 1 FROM template_anchors WHERE template_id = %s", template["id"]) == []


def test_source_must_be_a_page_of_a_document_of_the_channel(forms: Forms, stranger: Person) -> None:
    source = forms.upload(invoice(0))
    elsewhere = Forms(forms.service, stranger, stranger.create_channel()).upload(invoice(0))
    second = Forms(forms.service, forms.person, forms.person.create_channel()).upload(invoice(0))
    body = {"channel_id": forms.channel, "name": "New"}
    for document, status, code in ((elsewhere, 403, "not_a_member"), (2**62, 404, "no_such_document")):
        refusal(forms.person.post("templates/", json=body | {"source_document_id": document}), status, code)
    wrong = forms.person.post("templates/", json=body | {"source_document_id": second})
    assert refusal(wrong, 422, "invalid")["errors"][0]["field"] == "source_document_id"
    wrong = forms.person.post("templates/", json=body | {"source_document_id": source, "source_page": 2})
    assert refusal(wrong, 422, "invalid")["errors"][0]["field"] == "source_page"


def test_page_of_the_source_may_be_the_first_of_the_template(service: Service, forms: Forms) -> None:
    source = forms.person.upload(forms.channel, samples.pdf([("[0 0 595 842]", ""), ("[0 0 595 842]", "")])).json()[
        "id"
    ]
    put_text(service, source, [scanned(invoice(0, 9).words), scanned(invoice(0).words)])
    template = forms.template(invoice(0), source, source_page=2)
    assert (template["anchored_pages"], template["source_page"]) == ([1], 2)
    applied = forms.apply(forms.upload(invoice(7)), template["id"])
    assert [one["text"] for one in applied["annotations"]] == list(invoice(7).fields.values())


def test_values_of_pages_that_a_document_lacks_are_missing(forms: Forms) -> None:
    labels = forms.labels(invoice(0))
    labels[0] |= {"page": 3}
    labels[1] |= {"page": 3, "required": False}
    template = forms.template(invoice(0), forms.upload(invoice(0)), labels=labels)
    applied = forms.apply(forms.upload(invoice(7)), template["id"])
    assert applied["missing_required"] == ["number"]
    assert [one["label_name"] for one in applied["annotations"]] == ["customer", "total"]


def test_template_without_a_source_is_applied_by_position_and_says_so(forms: Forms) -> None:
    template = forms.template(invoice(0), None)
    applied = forms.apply(forms.upload(invoice(7)), template["id"])
    assert [(one["method"], one["needs_review"]) for one in applied["pages"]] == [("position", True)]
    assert (applied["used_feature_matching"], applied["match_result"]["requires_manual_anchors"]) == (False, True)
    assert {one["validation_status"] for one in applied["annotations"]} == {"pending"}
    assert [one["text"] for one in applied["annotations"]] == list(invoice(7).fields.values())


def test_page_that_is_not_found_gets_no_annotation(forms: Forms, template: dict[str, Any]) -> None:
    document = forms.upload(invoice(7), degrees=40)
    applied = forms.apply(document, template["id"])
    assert applied["annotations"] == []
    assert applied["missing_required"] == ["number", "date", "customer", "total"]
    assert [(one["method"], one["needs_review"]) for one in applied["pages"]] == [("none", True)]
    assert applied["match_result"]["error_message"] == applied["pages"][0]["reason"]
    forced = forms.apply(document, template["id"], force_apply=True)
    assert [one["method"] for one in forced["pages"]] == ["position"]
    assert "valid" not in {one["validation_status"] for one in forced["annotations"]}


def test_who_may_apply_what(service: Service, forms: Forms, template: dict[str, Any], stranger: Person) -> None:
    document = forms.upload(invoice(7))
    path, body = f"documents/{document}/apply-template/", {"template_id": template["id"]}
    refusal(stranger.post(path, json=body), 403, "not_a_member")
    refusal(forms.person.post(f"documents/{2**62}/apply-template/", json=body), 404, "no_such_document")
    refusal(forms.person.post(path, json={"template_id": 2**62}), 404, "no_such_template")
    theirs = Forms(service, stranger, stranger.create_channel()).template(invoice(0), None)
    refusal(forms.person.post(path, json={"template_id": theirs["id"]}), 403, "not_a_member")
    other = Forms(service, forms.person, forms.person.create_channel()).template(invoice(0), None)
    wrong = refusal(forms.person.post(path, json={"template_id": other["id"]}), 422, "invalid")
    assert [error["field"] for error in wrong["errors"]] == ["template_id"]
    for change, field in (({"confidence_threshold": 2}, "confidence_threshold"), ({"force": True}, "force")):
        wrong = refusal(forms.person.post(path, json=body | change), 422, "invalid")
        assert [error["field"] for error in wrong["errors"]] == [field]


def test_a_template_is_applied_once_all_pages_were_read(service: Service, forms: Forms) -> None:
    content = "BT /F 12 Tf 10 80 Td (Total 42) Tj ET"
    label = {"name": "all", "label_type": "text", "bounding_box": {"x": 0, "y": 0, "width": 1, "height": 1}}
    template = forms.template(invoice(0), None, labels=[label | {"every_page": True}])
    document = forms.person.upload(forms.channel, samples.pdf([("[0 0 200 100]", content)] * 2)).json()["id"]
    answer = forms.person.post(f"documents/{document}/apply-template/", json={"template_id": template["id"]})
    refusal(answer, 409, "text_pending")
    assert int(answer.headers["Retry-After"]) > 0
    assert service.rows("SELECT 1 FROM annotations WHERE document_id = %s", document) == []

    assert service.read(document).returncode == 0
    applied = forms.apply(document, template["id"])
    assert [(one["page"], one["text"]) for one in applied["annotations"]] == [(1, "Total 42"), (2, "Total 42")]


def test_more_labels_than_can_be_looked_for_are_refused(forms: Forms) -> None:
    label = {"name": "all", "label_type": "text", "every_page": True,
             "bounding_box": {"x": 0, "y": 0, "width": 1, "height": 1}}  # fmt: skip
    template = forms.template(invoice(0), None, labels=[label | {"name": f"n{number}"} for number in range(200)])
    document = forms.person.upload(forms.channel, samples.pdf([("[0 0 200 100]", "")] * 26)).json()["id"]
    answer = forms.person.post(f"documents/{document}/apply-template/", json={"template_id": template["id"]})
    assert "5200 labels" in refusal(answer, 422, "invalid")["detail"]

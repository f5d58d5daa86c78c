"""Templates with their labels."""

from __future__ import annotations

from typing import Any

import pytest
from data_processor_testkit.service import Person, Service, refusal

BOX = {"x": 0.1, "y": 0.2, "width": 0.5, "height": 0.25}
LABEL: dict[str, Any] = {
    "name": "Total",
    "label_type": "amount",
    "colour": "#00ff00",
    "page": 2,
    "bounding_box": BOX,
    "expected_format": r"^\d+([.,]\d{2})? €$",
    "required": True,
}
LEAST: dict[str, Any] = {"name": "Date", "label_type": "date", "bounding_box": BOX}


def _create(person: Person, channel: int, name: str = "Invoice", labels: Any = ()) -> Any:
    return person.post("templates/", json={"channel_id": channel, "name": name, "labels": list(labels)})


def _ids(response: Any) -> list[int]:
    return [item["id"] for item in response.json()["items"]]


def test_created_template_is_in_the_database(service: Service, person: Person, channel: int) -> None:
    response = _create(person, channel, labels=[LABEL, LEAST])

    assert response.status_code == 201, response.text
    body = response.json()
    assert (body["name"], body["channel_id"], body["created_by"]) == ("Invoice", channel, person.id)
    first, second = body["labels"]
    assert {name: first[name] for name in LABEL} == LABEL
    defaults = {"colour": "#ffcc00", "page": 1, "expected_format": None, "required": False}
    assert {name: second[name] for name in defaults} == defaults
    assert service.rows(
        "SELECT position, name, label_type, colour, page, box_x, box_y, box_width, box_height, expected_format,"
        " required FROM template_labels WHERE template_id = %s ORDER BY position",
        body["id"],
    ) == [
        (1, "Total", "amount", "#00ff00", 2, 0.1, 0.2, 0.5, 0.25, LABEL["expected_format"], True),
        (2, "Date", "date", "#ffcc00", 1, 0.1, 0.2, 0.5, 0.25, None, False),
    ]
    assert person.get(f"templates/{body['id']}/").json() == body


def test_list_of_one_channel_and_of_all_channels(service: Service, person: Person, channel: int) -> None:
    other, foreign = person.create_channel(), Person(service).create_channel()
    here = [_create(person, channel, f"T{number}", [LEAST]).json()["id"] for number in range(3)]
    there = _create(person, other, "T").json()["id"]

    assert _ids(person.get(f"templates/?channel_id={channel}")) == here[::-1]
    assert _ids(person.get("templates/")) == [there, *here[::-1]]
    first = person.get("templates/?limit=2").json()
    assert first["next"] == here[2]
    assert _ids(person.get(f"templates/?limit=2&before={first['next']}")) == [here[1], here[0]]
    refusal(person.get(f"templates/?channel_id={foreign}"), 403, "not_a_member")
    refusal(person.get(f"templates/?channel_id={2**62}"), 404, "no_such_channel")


def test_stranger_lists_nothing(stranger: Person) -> None:
    assert stranger.get("templates/").json() == {"items": [], "next": None}


def test_put_replaces_name_and_labels(service: Service, person: Person, channel: int) -> None:
    template = _create(person, channel, labels=[LABEL, LEAST]).json()
    # The two labels swap positions; names stay unique at every step.
    labels = [LEAST, LABEL | {"required": False}]
    response = person.call("PUT", f"templates/{template['id']}/", json={"name": "Receipt", "labels": labels})

    assert response.status_code == 200, response.text
    assert response.json()["name"] == "Receipt"
    assert response.json()["updated_at"] > template["updated_at"]
    assert service.rows(
        "SELECT position, name, required FROM template_labels WHERE template_id = %s ORDER BY position", template["id"]
    ) == [(1, "Date", False), (2, "Total", False)]


def test_name_is_unique_in_its_channel(person: Person, channel: int) -> None:
    first = _create(person, channel, "Invoice").json()
    second = _create(person, channel, "Receipt").json()

    refusal(_create(person, channel, "iNVOICE"), 409, "name_taken")
    refusal(person.call("PUT", f"templates/{second['id']}/", json={"name": "INVOICE"}), 409, "name_taken")
    assert person.get(f"templates/{second['id']}/").json() == second
    assert person.call("PUT", f"templates/{first['id']}/", json={"name": "invoice"}).status_code == 200
    assert _create(person, person.create_channel(), "Invoice").status_code == 201


def test_refused_replacement_leaves_the_labels(person: Person, channel: int) -> None:
    _create(person, channel, "Taken")
    template = _create(person, channel, "Mine", [LABEL]).json()

    refusal(person.call("PUT", f"templates/{template['id']}/", json={"name": "taken", "labels": []}), 409, "name_taken")
    assert person.get(f"templates/{template['id']}/").json() == template


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        ([LEAST | {"name": ""}], "labels.0.name"),
        ([LEAST, LEAST | {"name": "dATE"}], "labels.1.name"),
        ([LEAST | {"name": "STRASSE"}, LEAST | {"name": "straße"}, LEAST | {"name": "Straße"}], "labels.2.name"),
        ([LEAST | {"bounding_box": BOX | {"x": 0.6}}], "labels.0.bounding_box.width"),
        ([LEAST | {"bounding_box": BOX | {"x": -0.1}}], "labels.0.bounding_box.x"),
        ([LEAST | {"bounding_box": BOX | {"height": 0}}], "labels.0.bounding_box.height"),
        ([LEAST | {"bounding_box": {"x": 0}}], "labels.0.bounding_box.y"),
        ([LEAST | {"expected_format": "("}], "labels.0.expected_format"),
        ([LEAST | {"expected_format": "a{99999999999}"}], "labels.0.expected_format"),
        ([LEAST | {"expected_format": "(" * 250 + ")" * 251}], "labels.0.expected_format"),
        ([LEAST | {"expected_format": "x" * 501}], "labels.0.expected_format"),
        ([LEAST | {"expected_format": "\0"}], "labels.0.expected_format"),
        ([LEAST | {"required": "yes"}], "labels.0.required"),
        ([LEAST | {"page": 0}], "labels.0.page"),
        ([LEAST | {"colour": "blue"}], "labels.0.colour"),
        ([LEAST] * 201, "labels"),
        ("none", "labels"),
    ],
)
def test_invalid_label_is_refused(service: Service, person: Person, channel: int, labels: Any, field: str) -> None:
    template = _create(person, channel).json()
    created = person.post("templates/", json={"channel_id": channel, "name": "New", "labels": labels})
    replaced = person.call("PUT", f"templates/{template['id']}/", json={"name": "New", "labels": labels})

    for response in (created, replaced):
        assert refusal(response, 422, "invalid")["errors"][0]["field"] == field
    assert service.rows("SELECT name FROM templates WHERE channel_id = %s", channel) == [("Invoice",)]


def test_label_that_fills_the_page_is_accepted(person: Person, channel: int) -> None:
    for number, box in enumerate(
        ({"x": 0, "y": 0, "width": 1, "height": 1}, {"x": 0.9, "y": 0.7, "width": 0.1, "height": 0.3})
    ):
        assert _create(person, channel, f"T{number}", [LEAST | {"bounding_box": box}]).status_code == 201


def test_name_of_template_is_checked(person: Person, channel: int) -> None:
    for name in ("", " \n", "a\0", "n" * 201, 3, None):
        response = person.post("templates/", json={"channel_id": channel, "name": name})
        assert refusal(response, 422, "invalid")["errors"][0]["field"] == "name"


def test_deleted_template_is_gone_with_its_labels(service: Service, person: Person, channel: int) -> None:
    template = _create(person, channel, labels=[LABEL]).json()["id"]

    assert person.call("DELETE", f"templates/{template}/").status_code == 204
    assert service.rows("SELECT 1 FROM template_labels WHERE template_id = %s", template) == []
    for method, body in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
        refusal(person.call(method, f"templates/{template}/", json=body), 404, "no_such_template")


def test_stranger_may_do_nothing(person: Person, stranger: Person, channel: int) -> None:
    template = _create(person, channel, labels=[LABEL]).json()

    refusal(_create(stranger, channel, "Mine"), 403, "not_a_member")
    for method, body in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
        refusal(stranger.call(method, f"templates/{template['id']}/", json=body), 403, "not_a_member")
    assert person.get(f"templates/{template['id']}/").json() == template
    refusal(_create(person, 2**62), 404, "no_such_channel")


def test_names_are_normalised_and_visible(person: Person, channel: int) -> None:
    label = {"label_type": " a ", "name": "cafe\u0301  1", "bounding_box": {"x": 0, "y": 0, "width": 1, "height": 1}}
    made = person.post(
        "templates/", json={"channel_id": channel, "name": " Re\u0301sume\u0301   A ", "labels": [label]}
    )
    assert made.status_code == 201, made.text
    stored = made.json()
    assert (stored["name"], stored["labels"][0]["name"]) == ("R\u00e9sum\u00e9 A", "caf\u00e9 1")
    for nothing in ("\u200b", "\u3164", "\u0301", "\u202e", "a\u202eb"):
        refused = refusal(person.post("templates/", json={"channel_id": channel, "name": nothing}), 422, "invalid")
        assert [error["field"] for error in refused["errors"]] == ["name"], ascii(nothing)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(?=a)b", "look-ahead"),
        ("(?<!a)b", "look-behind"),
        (r"(a)\1", "back-reference"),
        ("(?P<n>a)(?P=n)", "back-reference"),
        (r"a\Z", r"\Z is not supported"),
        ("a++", "possessive"),
        ("(?>a)", "atomic"),
        ("a{1001}", "1000"),
        ("(a{100}){100}", "1000"),
        (r"\pL{1000}", "too large"),
        ("[z-a]", "z-a"),
    ],
)
def test_format_that_re2_does_not_take_is_refused_with_the_reason(
    person: Person, channel: int, pattern: str, why: str
) -> None:
    refused = refusal(_create(person, channel, labels=[LEAST | {"expected_format": pattern}]), 422, "invalid")

    assert [error["field"] for error in refused["errors"]] == ["labels.0.expected_format"]
    assert why in refused["errors"][0]["message"]


def test_change_keeps_the_identity_of_labels_by_their_name(service: Service, person: Person, channel: int) -> None:
    template = _create(person, channel, labels=[LABEL, LEAST]).json()
    ids = {label["name"]: label["id"] for label in template["labels"]}
    labels = [LEAST | {"name": "Number"}, LABEL | {"name": "TOTAL", "bounding_box": BOX | {"x": 0.3}}]
    changed = person.call("PUT", f"templates/{template['id']}/", json={"name": "Invoice", "labels": labels}).json()

    assert (template["version"], changed["version"]) == (1, 2)
    number, total = changed["labels"]
    assert (total["id"], total["name"], total["bounding_box"]["x"]) == (ids["Total"], "TOTAL", 0.3)
    assert number["id"] not in ids.values()
    stored = "SELECT id FROM template_labels WHERE template_id = %s ORDER BY position"
    assert service.rows(stored, template["id"]) == [(number["id"],), (total["id"],)]


def test_refused_change_keeps_the_version(person: Person, channel: int) -> None:
    template = _create(person, channel, labels=[LABEL]).json()
    wrong = {"name": "Invoice", "labels": [LABEL | {"expected_format": "("}]}

    refusal(person.call("PUT", f"templates/{template['id']}/", json=wrong), 422, "invalid")
    assert person.get(f"templates/{template['id']}/").json() == template


def test_template_says_how_values_are_read(service: Service, person: Person, channel: int) -> None:
    body = {"channel_id": channel, "name": "Read", "date_order": "DMY", "decimal_separator": ",", "labels": [
        LABEL, LEAST, LEAST | {"name": "Note", "label_type": "note"},
        LEAST | {"name": "Lines", "label_type": "note", "value_type": "table", "every_page": True},
    ]}  # fmt: skip
    made = person.post("templates/", json=body).json()

    assert (made["date_order"], made["decimal_separator"]) == ("DMY", ",")
    assert [label["value_type"] for label in made["labels"]] == ["amount", "date", "text", "table"]
    assert [label["every_page"] for label in made["labels"]] == [False, False, False, True]
    assert service.rows("SELECT date_order, decimal_separator FROM templates WHERE id = %s", made["id"]) == [
        ("DMY", ",")
    ]
    for field, value in (("date_order", "DYM"), ("decimal_separator", ";")):
        refused = refusal(person.post("templates/", json=body | {"name": "x", field: value}), 422, "invalid")
        assert [error["field"] for error in refused["errors"]] == [field]
    wrong = refusal(_create(person, channel, "x", [LEAST | {"value_type": "number"}]), 422, "invalid")
    assert [error["field"] for error in wrong["errors"]] == ["labels.0.value_type"]


def test_labels_are_read_from_their_stored_text_unless_it_is_of_another_version(
    service: Service, person: Person, channel: int
) -> None:
    template = _create(person, channel, labels=[LABEL]).json()["id"]
    path, this = f"templates/{template}/", f"WHERE id = {template}"

    def shown() -> list[str]:
        (listed,) = person.get(f"templates/?channel_id={channel}").json()["items"]
        assert listed == person.get(path).json()
        return [label["name"] for label in listed["labels"]]

    service.run_sql(f"UPDATE template_labels SET name = 'Sum' WHERE template_id = {template}")
    assert shown() == ["Total"]
    # As the release before changes a template.
    service.run_sql(f"UPDATE templates SET version = version + 1 {this}")
    assert shown() == ["Sum"]
    service.run_sql(f"UPDATE templates SET labels_text = NULL, labels_text_of = NULL {this}")
    assert shown() == ["Sum"]
    replaced = person.call("PUT", path, json={"name": "Invoice", "labels": [LABEL, LEAST]}).json()
    assert shown() == ["Total", "Date"]
    # As a release whose answers have another form.
    service.run_sql(f"UPDATE templates SET labels_text = '[]', labels_text_of = version || ' other' {this}")
    assert person.get(path).json() == replaced

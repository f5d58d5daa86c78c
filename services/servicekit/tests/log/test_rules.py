"""Every rule about secrets works, in `redact` and in whole entries."""

from __future__ import annotations

import logging
from re import _parser as parser

import orjson
import pytest
from servicekit.log import entries
from servicekit.log.lines import line_from
from servicekit.log.redact import redact
from servicekit.log.rules import GROUPS, REDACTED

SECRET = "hunter2-Zx81"
EXAMPLES = [
    (group, rule, example)
    for group in GROUPS
    for rule in group.rules
    for example in (rule.examples or ("this rule has no example",))
]


@pytest.mark.parametrize(("group", "rule", "example"), EXAMPLES, ids=[example for _, _, example in EXAMPLES])
def test_a_rule_finds_its_examples(group, rule, example):
    text = example.replace("{{", "{").replace("}}", "}").replace("{}", SECRET)
    for said in (text, f"before: {text}", f"it failed ({text}) after all", text.upper() if "{}" in example else text):
        found = redact(said)
        assert REDACTED in found, said
        assert SECRET.lower() not in found.lower()
        line = entries.build({"message": said, "fields": {"said": said}, "exception": f"Error\n{said}"}, "s", "error")
        assert SECRET.lower() not in line.decode().lower()
        assert line.decode().count(REDACTED) >= 3


@pytest.mark.parametrize("field", ["message", "exception", "logger", "request_id"])
def test_no_field_of_an_entry_keeps_a_secret(field):
    for secret, said in ((SECRET, f"password={SECRET}"), ("ghp_" + "a1B2" * 9, "ghp_" + "a1B2" * 9)):
        assert secret not in entries.build({"message": "m", field: said}, "s", "error").decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"password": SECRET},
        {"deep": [{"deeper": {"X-Api-Key": SECRET}}]},
        {"headers": [("host", "x"), ("cookie", f"a={SECRET}")]},
        {"headers": [{"name": "Authorization", "value": SECRET}]},
        {"key": "db_password", "value": SECRET},
        {f"password={SECRET}": 1},
        {"query": f"a=1&token={SECRET}"},
        {"body": orjson.dumps({"password": SECRET}).decode()},
        {"body": orjson.dumps({"body": orjson.dumps({"password": f'a"{SECRET}'}).decode()}).decode()},
    ],
    ids=str,
)
def test_no_structure_keeps_a_secret(fields):
    assert SECRET not in entries.build({"message": "m", "fields": fields}, "s", "error").decode()


def test_a_name_and_a_harmless_value_stay():
    line = entries.build({"message": "m", "fields": {"name": "colour", "value": "red"}}, "s", "error")
    assert orjson.loads(line)["fields"] == {"name": "colour", "value": "red"}


@pytest.mark.parametrize("length", [8000, 12_000, 16_384, 24_576, 65_000, 140_000])
@pytest.mark.parametrize("field", ["message", "exception"])
def test_a_cut_leaves_no_part_of_a_secret(field, length):
    secret = "Zx81" * (length // 4)
    for said in (f"password={secret}", f"password='{secret} {secret}'", f"a b c\npassword={secret}\nthe end"):
        for padding in (0, length // 2, length):
            line = entries.build({"message": "m", field: "x" * padding + " " + said}, "s", "error")
            assert b"Zx81" not in line, (padding, said[:20])


def raised():
    """Return an exception group of exceptions with causes, notes and secrets in all of them."""
    try:
        try:
            raise KeyError(f"password={SECRET}")
        except KeyError as error:
            raise RuntimeError(f"redis://:{SECRET}@redis/0") from error
    except RuntimeError as error:
        error.add_note(f"Authorization: Bearer {SECRET}")
        group = ExceptionGroup(f"token: {SECRET}", [error, ValueError({"api_key": SECRET})])
    try:
        raise group
    except ExceptionGroup as error:
        return error


def test_no_exception_keeps_a_secret():
    error = raised()
    record = logging.LogRecord(f"x.token={SECRET}", logging.ERROR, "f", 1, "it failed: %r", (error,), None)
    record.exc_info = (type(error), error, error.__traceback__)
    record.exc_text = record.stack_info = f"password={SECRET}"
    line = line_from(record, "backend").decode()
    assert "ExceptionGroup" in line
    assert "direct cause" in line
    assert SECRET not in line


def _reads_on(items, last=True):
    """Yield the unbounded repeats that must be followed by another match."""
    for at, (kind, what) in enumerate(items):
        is_last = last and at == len(items) - 1
        if kind in (parser.MAX_REPEAT, parser.MIN_REPEAT, parser.POSSESSIVE_REPEAT):
            most, inner = what[1], what[2]
            if most is parser.MAXREPEAT and not is_last:
                yield items[at:]
            yield from _reads_on(inner, is_last)
        elif kind is parser.SUBPATTERN:
            yield from _reads_on(what[-1], is_last)
        elif kind is parser.ATOMIC_GROUP:
            yield from _reads_on(what, is_last)
        elif kind is parser.BRANCH:
            for branch in what[1]:
                yield from _reads_on(branch, is_last)
        elif kind in (parser.ASSERT, parser.ASSERT_NOT):
            yield from _reads_on(what[1], last=False)


RULES = [
    pytest.param(rule.pattern.pattern, id=rule.examples[0])
    for group in GROUPS
    for rule in group.rules
    if not rule.pattern.pattern.endswith(r"|\Z))")  # always finds an end, and continues after it
]


@pytest.mark.parametrize("pattern", RULES)
def test_a_rule_without_a_match_reads_a_bounded_part_of_the_text(pattern):
    # Reading from each of many beginnings to the end of the text took 17 seconds for 64 KiB.
    assert list(_reads_on(parser.parse(pattern))) == []

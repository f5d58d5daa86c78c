"""Faults of applying templates."""

from __future__ import annotations

from plumbline.verification.faults.areas import Area
from plumbline.verification.faults.fault import Fault, Patch

_IN = "services/data-processor/data_processor/applying"
_SERVICES = f"{_IN}/services.py"
_FINDINGS = f"{_IN}/findings.py"
_CHECKS = "smoke/test_applying.py"
_FOUND = f"{_CHECKS}::test_the_same_values_are_found_on_every_copy"
_DOUBT = f"{_CHECKS}::test_doubt_is_said_and_nothing_is_valid"

AREA = Area(
    "applying templates",
    modules=(_CHECKS,),
    faults=(
        Fault("labels-at-the-wrong-place", "a page that is shifted or turned is read as if it were not",
              Patch(_FINDINGS, "fields.read(page.words, placed.transform, box)",
                    "fields.read(page.words, registration.stretched(size, page.size), box)"),
              {f"{_FOUND}[shifted and scaled]": "amount"}),
        Fault("doubtful-places-are-valid", "a value counts as valid though its place is a guess",
              Patch(_FINDINGS, "    elif why is not None:\n", '    elif why == "":\n'),
              {_DOUBT: "valid"}),
        Fault("doubt-is-not-said", "a page that was not found is not marked for review",
              Patch(_FINDINGS, '"needs_review": doubtful,', '"needs_review": False,'),
              {_DOUBT: "('position', False)"}),
        Fault("corrections-are-overwritten", "applying a template again replaces what a person corrected",
              Patch(_SERVICES, "    WHERE a.reviewed_at IS NULL\n      AND ({", "    WHERE a.id IS NOT NULL\n      AND ({"),
              {f"{_CHECKS}::test_a_second_run_doubles_nothing_and_leaves_a_persons_word": "20471"}),
        Fault("missing-labels-are-not-named", "a required label without a value is not named",
              Patch(_SERVICES, "if label.required and label.id not in present]",
                    "if label.required and label.id in present and not present]"),
              {_DOUBT: "['number', 'date', 'amount']"}),
        Fault("values-are-not-normalised", "dates and amounts are stored as they are written",
              Patch(_FINDINGS, '        text = " ".join(text.split())\n        value, reason = (',
                    '        text = " ".join(text.split())\n        _ = ('),
              {_FOUND: "1284.50"}),
        Fault("template-of-another-channel", "a template can be applied to a document of another channel",
              Patch(_SERVICES, 'if template["channel_id"] != document["channel_id"]:', 'if template["channel_id"] < 0:'),
              {f"{_CHECKS}::test_a_template_of_another_channel_is_refused": "expected 422, got 200"}),
        Fault("applied-in-silence", "members are not told that a template was applied",
              Patch(_SERVICES, "    _tell(channel_id, applied)\n", ""),
              {f"{_CHECKS}::test_members_are_told_after_the_rows_are_there": "template_applied"}),
    ),
)  # fmt: skip

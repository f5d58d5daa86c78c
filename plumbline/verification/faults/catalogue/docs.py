"""Faults of the docs: a number, a name or a command that is not what the code says."""

from __future__ import annotations

from plumbline.verification.faults.areas import Area
from plumbline.verification.faults.fault import Fault, Patch

AREA = Area(
    "docs",
    static="docs",
    faults=(
        Fault("default-in-docs-wrong", "a generated page names another default",
                Patch("docs/generated/defaults.md", "| `PLUMBLINE_SESSION_TTL_S` |", "| `PLUMBLINE_SESSION_TTL` |"), {"docs": "docs/generated/defaults.md: differs"}),
        Fault("route-in-docs-missing", "a generated page lacks a route",
                Patch("docs/generated/routes.md", "| `/logs/stats` |", "| `/logs/statistics` |"), {"docs": "docs/generated/routes.md: differs"}),
        Fault("readme-default-wrong", "README names another port",
                Patch("README.md", "| front door | `http://127.0.0.1:8080` |", "| front door | `http://127.0.0.1:8000` |"), {"docs": "README.md: differs"}),
        Fault("setting-undocumented", "a setting changes and its page does not",
                Patch("services/backend/backend/settings.py", "Field(12 * 3600, ge=1", "Field(24 * 3600, ge=1", ()), {"docs": "docs/generated/defaults.md: differs"}),
        Fault("code-undocumented", "the status of a code changes and its page does not",
                Patch("docs/generated/codes.md", "`not_a_member`", "`no_member`"), {"docs": "docs/generated/codes.md: differs"}),
        Fault("number-of-entries-wrong", "the recorder's page names another number of entries",
                Patch("docs/recorder.md", "The recorder keeps the last 200 warnings", "The recorder keeps the last 500 warnings"), {"docs: test_numbers.py": "LOG_CAP is 200"}),
        Fault("command-in-docs-unknown", "a page quotes a command that there is not",
                Patch("docs/one-machine.md", "./deploy-local.sh reset --home /tmp/another --yes",
                      "./deploy-local.sh delete --home /tmp/another --yes"), {'docs: test_commands.py': "invalid choice: 'delete'"}),
        Fault("option-in-docs-unknown", "a page quotes an option that there is not",
                Patch("docs/recorder.md", "./deploy-local.sh logs --service backend --level error",
                      "./deploy-local.sh logs --service backend --severity error"), {"docs: test_commands.py": "--severity"}),
        Fault("option-of-up-removed", "an option that pages quote is not known any more",
                Patch("plumbline/cli.py", '"--follow", action', '"--tail", dest="follow", action', ()), {"docs": "docs/generated/run-steps.md: differs"}),
        Fault("nox-session-in-docs-unknown", "README quotes a session that there is not",
                Patch("README.md", "`.venv-nox/bin/nox -s smoke logs`", "`.venv-nox/bin/nox -s smoke records`"), {'docs: test_commands.py': "no session ['records']"}),
        Fault("link-leads-nowhere", "a page links to a page that there is not",
                Patch("docs/one-machine.md", "(generated/defaults.md#settings)", "(generated/settings.md#settings)"), {"docs: site": "generated/settings.md"}),
    ),
)  # fmt: skip

"""Every shell block of a page is run by a test, or has the reason before it. These reasons are shown as skips."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from plumbline.tests import runbook
from plumbline.tests.runbook import PAGES, Block
from plumbline.tests.verification.docs.pages import text
from plumbline.tests.verification.docs.test_how_to import PAGES as HOW_TO

_FENCE = re.compile(r"^ *```(\S*)\n.*?^ *```$", re.MULTILINE | re.DOTALL)
_LANGUAGES = {"sh", "diff", "ini", "js", "json", "python", "sql", "text", "yaml"}
ELSEWHERE = [
    pytest.param(block, id=f"{text.name(page)}:{block.line}")
    for page in text.PAGES
    if runbook.name(page) not in (*PAGES, *(f"how-to/{name}.md" for name in HOW_TO))
    for block in runbook.blocks(page, "embedded")
]
"""The blocks of all pages that are not run as a whole."""


def test_every_block_says_its_language() -> None:
    """A block of another language than `sh` is not run, so commands must not hide in one."""
    wrong = [
        f"{text.name(page)}:{text.line_of(page.read_text(), found.start())}: {found[1] or 'none'}"
        for page in text.PAGES
        for found in _FENCE.finditer(page.read_text())
        if found[1] not in _LANGUAGES
    ]
    assert not wrong, f"blocks in another language than {sorted(_LANGUAGES)}: {wrong}"


def test_a_block_leaves_its_reader_in_the_checkout() -> None:
    """Tests run each block in the checkout; a reader stays where the one before has gone."""
    wrong = [
        str(block)
        for page in text.PAGES
        for block in runbook.blocks(page, "embedded")
        if re.search(r"^ *(?:cd|pushd) ", block.text, re.MULTILINE)
    ]
    assert not wrong, f"name files from the checkout on instead of changing the folder: {wrong}"


def test_every_page_of_the_runbook_is_there_and_each_target_runs_some() -> None:
    for target in runbook.TARGETS:
        assert [one for one in runbook.runbook(target) if not one.marks], f"no block is run on {target}"


@pytest.mark.parametrize("block", ELSEWHERE)
def test_a_block_that_no_test_runs_says_why(block: Block) -> None:
    assert block.skipped, f"{block} is run by no test: add its page to PAGES in plumbline/tests/runbook.py, or say why"
    pytest.skip(block.skipped)


PAGE = """
<!-- skip: next "needs a registry" -->
```sh
docker push
```
<!-- skip: next if(target == "compose", reason="is about files") -->
```sh
mv here there
```
<!-- invisible-code-block: sh
echo hidden
-->
1. A step:

    ```sh
    true
    ```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "page.md"
    file.write_text(PAGE)
    return file


@pytest.mark.parametrize("target", ["compose", "embedded"])
def test_marks_and_hidden_blocks_are_read(page: Path, target: str) -> None:
    found = runbook.blocks(page, target)
    assert [one.text for one in found] == ["docker push\n", "mv here there\n", "echo hidden\n", "true\n"]
    about_files = "is about files" if target == "compose" else ""
    assert [one.skipped for one in found] == ["needs a registry", about_files, "", ""]
    assert str(found[0]) == "page.md:3"


@pytest.mark.parametrize(
    "commands", ["./deploy-local.sh restat", "deploy-locally", "false\ntrue", "false | true", 'echo "$UNSET"']
)
def test_a_block_fails_with_the_first_command_that_fails(tmp_path: Path, commands: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"docs/page.md:3 ended with exit code [1-9]"):
        runbook.run(Block("page.md", 3, commands), tmp_path, {"PATH": os.defpath})


SHOWN = """
```sh
{command}
```

```text
ready at http://127.0.0.1:8080
…
entry 7 of …, done
```
"""


def _shown(tmp_path: Path, command: str) -> Block:
    file = tmp_path / "page.md"
    file.write_text(SHOWN.format(command=command))
    (block,) = runbook.blocks(file, "embedded")
    return block


@pytest.mark.parametrize("between", ["", "one\n", "one\ntwo\n"])
def test_what_a_page_shows_is_what_its_block_prints(tmp_path: Path, between: str) -> None:
    block = _shown(tmp_path, f"printf 'ready at http://127.0.0.1:8080\n{between}entry 7 of 9, done\n'")
    runbook.run(block, tmp_path, {"PATH": os.defpath}, "http://127.0.0.1:5999")


@pytest.mark.parametrize("last", ["entry 8 of 9, done", "entry 7 of 9, done, too", "entry 7 of 9, done\nmore"])
def test_another_output_than_that_of_the_page_fails(tmp_path: Path, last: str) -> None:
    block = _shown(tmp_path, f"printf 'ready at http://127.0.0.1:8080\none\n{last}\n'")
    with pytest.raises(pytest.fail.Exception, match=r"docs/page.md:2 prints something else than the page shows"):
        runbook.run(block, tmp_path, {"PATH": os.defpath})


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("echo $kept", ""),
        ("echo other", r"docs/page.md:7 prints something else than the page shows"),
        ("false\necho $kept", r"the shell ended in docs/page.md:7 with exit code 1"),
    ],
)
def test_blocks_are_pasted_into_one_shell(tmp_path: Path, second: str, said: str) -> None:
    found = [Block("page.md", 3, "kept=7\necho set", output="set\n"), Block("page.md", 7, second, output="7\n")]
    if not said:
        runbook.follow(found, tmp_path, {"PATH": os.defpath})
        return
    with pytest.raises(pytest.fail.Exception, match=said):
        runbook.follow(found, tmp_path, {"PATH": os.defpath})

"""Hooks of MkDocs: the API reference becomes a part of the site, pages may run no inline script, and long names break.

The image of the front door builds the site with this file alone, so it imports nothing of Plumbline.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).resolve().parents[3]
_PAGES = _ROOT / "docker" / "caddy" / "pages"
_GENERATED = _ROOT / "docs" / "generated"
_SWAGGER_UI = "drf_spectacular_sidecar"
_NEEDED = ("swagger-ui-bundle.js", "swagger-ui.css", "LICENSE")
_DESCRIPTIONS = {"backend": "openapi-backend", "data-processor": "openapi-data-processor", "frames": "asyncapi"}
_INLINE = re.compile(r"<script>(.+?)</script>", re.DOTALL)
_CELL = re.compile(r"<td\b.*?</td>", re.DOTALL)
_NAME = re.compile(r"<code>([^<]+)</code>")
_JOINT = re.compile(r"(?<=[\w}])[_/.:=]+(?=[\w{&])")
_BREAK = r"\g<0><wbr>"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what the API reference needs, with the documents that it shows: a folder of files has no services to ask."""
    for name in ("page.css", "icon.svg"):
        files.append(File.generated(config, f"assets/{name}", abs_src_path=str(_PAGES / "assets" / name)))
    package = importlib.util.find_spec(_SWAGGER_UI)
    assert package is not None and package.origin is not None, f"{_SWAGGER_UI} is not installed"  # noqa: PT018, S101
    folder = Path(package.origin).parent / "static" / _SWAGGER_UI / "swagger-ui-dist"
    for name in _NEEDED:
        files.append(File.generated(config, f"api/swagger-ui/{name}", abs_src_path=str(folder / name)))
    found = {
        name: {"spec": json.loads((_GENERATED / f"{file}.json").read_text())} for name, file in _DESCRIPTIONS.items()
    }
    old = files.get_file_from_path("api/descriptions.js")
    assert old is not None, "docs/api/descriptions.js is gone"  # noqa: S101
    files.remove(old)
    script = f"globalThis.descriptions = {json.dumps(found)};\n"
    files.append(File.generated(config, "api/descriptions.js", content=script))
    return files


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Move inline scripts into files, as the Content-Security-Policy wants. Let names in tables break at joints."""

    def moved(match: re.Match[str]) -> str:
        name = f"assets/inline/{hashlib.sha256(match[1].encode()).hexdigest()[:16]}.js"
        path = Path(config.site_dir, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(match[1], encoding="utf-8")
        return f'<script src="{"../" * page.url.count("/")}{name}"></script>'

    return _CELL.sub(lambda cell: _NAME.sub(_with_joints, cell[0]), _INLINE.sub(moved, output))


def _with_joints(name: re.Match[str]) -> str:
    # A phone would break `account_disabled` after any letter. Copied text has no <wbr>.
    return f"<code>{_JOINT.sub(_BREAK, name[1])}</code>"

"""One archive that holds a whole release: its images and its compose file, for machines without any network.

A bundle is a tar of `manifest.json`, `compose.yaml`, the `defaults/` that this names, and `images.tar.gz` (of `docker
save`). The manifest lists the SHA-256 of every other file and the id of every image, which is the SHA-256 of its
configuration and so of all its layers.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from servicekit import facts

from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.plan import COMPONENTS
from plumbline.targets.compose import engine, images
from plumbline.targets.compose.project import CHECKOUT, Project

_FORMAT = 1
_MANIFEST, _IMAGES = "manifest.json", "images.tar.gz"
DESCRIPTION = ("compose.yaml", *sorted(f"defaults/{path.name}" for path in (CHECKOUT / "defaults").glob("*.env")))
"""Files that Compose reads, relative to the folder of the project."""
_CHUNK = 1 << 20


def default_name() -> str:
    """Return the file name of this version's bundle."""
    return f"plumbline-{facts.VERSION}.tar"


def write(home: Home, output: Path) -> dict[str, Any]:
    """Build what has to be built, write the bundle to `output` and return its manifest."""
    home.prepare()
    project = Project(home)
    if project.from_bundle:
        raise PlumblineError(f"the stack in {home.root} came from a bundle itself", hint="hand that bundle on")
    images.build(project)
    services = project.resolved()["services"]
    names = {f"plumbline/{name}:bundle-{facts.VERSION}": services[name]["image"] for name in COMPONENTS}
    with _scratch(output) as folder:
        for name, source in names.items():
            engine.output("image", "tag", source, name)
        try:
            _save(list(names), folder / _IMAGES)
            ids = {name: _image_id(name) for name in names}
        finally:
            engine.docker("image", "rm", "--no-prune", *names)
        _copy(DESCRIPTION, project.folder, folder)
        manifest = {
            "format": _FORMAT,
            "version": facts.VERSION,
            "images": ids,
            "files": {name: _sha256(folder / name) for name in (*DESCRIPTION, _IMAGES)},
        }
        (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        partial = folder / "bundle"
        with tarfile.open(partial, "w") as archive:
            for name in (_MANIFEST, *DESCRIPTION, _IMAGES):
                archive.add(folder / name, name)
        partial.replace(output)
    return manifest


def load(archive: Path, home: Home) -> dict[str, Any]:
    """Check a bundle against its manifest, give its images to the engine and its files to `home`; return the manifest.

    Needs no network. Raises PlumblineError, with nothing changed, if the archive is not whole.
    """
    home.prepare()
    with _scratch(home.root / _MANIFEST) as folder:
        manifest = _unpack(archive, folder)
        project = Project(home)
        engine.output("load", "--input", str(folder / _IMAGES))
        try:
            for name, expected in manifest["images"].items():
                found = _image_id(name)
                if found != expected:
                    raise PlumblineError(f"image {name} of {archive} has id {found}, its manifest says {expected}")
                component = name.partition("/")[2].partition(":")[0]
                engine.output("image", "tag", name, f"plumbline/{component}:{project.tag}")
        finally:
            engine.docker("image", "rm", "--no-prune", *manifest["images"])
        _copy((_MANIFEST, *DESCRIPTION), folder, project.unpacked)
    return manifest


def _copy(names: Iterable[str], source: Path, target: Path) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def _unpack(archive: Path, folder: Path) -> dict[str, Any]:
    whole = "copy the bundle again"
    try:
        with tarfile.open(archive) as tar:
            _extract(tar, _MANIFEST, folder)
            manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_text())
            # First, because another format may well have other files.
            if manifest.get("format") != _FORMAT:
                raise PlumblineError(
                    f"{archive} has bundle format {manifest.get('format')!r}, this version of Plumbline reads {_FORMAT}"
                )
            for name in (*DESCRIPTION, _IMAGES):
                _extract(tar, name, folder)
    except FileNotFoundError:
        raise PlumblineError(f"there is no bundle at {archive}") from None
    except (tarfile.TarError, KeyError, ValueError, EOFError, OSError) as error:
        raise PlumblineError(f"{archive} is not a whole bundle: {error}", hint=whole) from None
    for name, expected in manifest["files"].items():
        if _sha256(folder / name) != expected:
            raise PlumblineError(f"{name} in {archive} is not what its manifest says", hint=whole)
    return manifest


def _extract(tar: tarfile.TarFile, name: str, folder: Path) -> None:
    member = tar.extractfile(name)
    if member is None:
        raise KeyError(name)
    (folder / name).parent.mkdir(exist_ok=True)
    with member, (folder / name).open("wb") as out:
        shutil.copyfileobj(member, out, _CHUNK)


@contextmanager
def _scratch(beside: Path) -> Iterator[Path]:
    """A folder on the disk of `beside`, gone afterwards: images are large, and /tmp may be small."""
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=beside.absolute().parent) as folder:
        yield Path(folder)


def _save(names: list[str], path: Path) -> None:
    with subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None  # noqa: S101  it was asked for
        with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0) as out:
            shutil.copyfileobj(saving.stdout, out, _CHUNK)
    if saving.returncode != 0:
        raise PlumblineError(f"docker save ended with exit code {saving.returncode}: is there room on the disk?")


def _image_id(name: str) -> str:
    return engine.output("image", "inspect", "--format", "{{.Id}}", name).strip()


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

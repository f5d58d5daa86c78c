"""Bundles: one archive with a release's images and Compose file, for machines without a network.

A bundle is a tar of `manifest.json`, `compose.yaml`, its `defaults/` and `images.tar.gz` (of `docker save`). The
manifest has the platform, and the SHA-256 of every other file and of every layer of every image.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from servicekit import facts

from plumbline.components import IMAGES
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.targets.compose import engine, images
from plumbline.targets.compose.project import CHECKOUT, Project

_FORMAT = 1
_MANIFEST, _IMAGES = "manifest.json", "images.tar.gz"
DESCRIPTION = ("compose.yaml", *sorted(f"defaults/{path.name}" for path in (CHECKOUT / "defaults").glob("*.env")))
"""Files that Compose reads, relative to the project's folder."""
_CHUNK = 1 << 20
_AGAIN = "copy the bundle again"
_SCRATCH = ".plumbline-bundle-"


def default_name() -> str:
    """Return the file name of this version's bundle."""
    return f"plumbline-{facts.VERSION}.tar"


def write(home: Home, output: Path) -> dict[str, Any]:
    """Build missing images, write the bundle to `output` and return its manifest.

    Writing is atomic. Raises PlumblineError.
    """
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise PlumblineError(f"{output} cannot be written: name a file in a folder that exists (--output)")
    if os.path.lexists(output) and not _is_bundle(output):
        raise PlumblineError(f"{output} exists and is not a bundle: move it away, or name another file (--output)")
    home.prepare()
    project = Project(home)
    if project.from_bundle:
        raise PlumblineError(f"the stack in {home.root} was loaded from a bundle", hint="use that bundle")
    images.build(project)
    print("Packing the images, which takes a while ...", flush=True)
    services = project.resolved()["services"]
    names = {f"plumbline/{name}:bundle-{facts.VERSION}": services[name]["image"] for name in IMAGES}
    try:
        with _scratch(output) as folder:
            manifest = _gather(project, names, folder)
            partial = folder / "bundle"
            with tarfile.open(partial, "w") as archive:
                for name in (_MANIFEST, *DESCRIPTION, _IMAGES):
                    archive.add(folder / name, name)
            partial.replace(output)
    except OSError as error:
        raise PlumblineError(f"{output} cannot be written: {error.strerror}") from None
    return manifest


def _is_bundle(file: Path) -> bool:
    """Return whether a file is a bundle of any version, which may be overwritten."""
    if file.is_symlink() or not file.is_file():
        return False
    try:
        with tarfile.open(file) as tar:
            first = tar.next()
            return first is not None and first.name == _MANIFEST
    except (OSError, tarfile.TarError):
        return False


def _gather(project: Project, names: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Write the bundle's files into `folder`; return its manifest. `names` maps image names in the bundle to ours."""
    for name, source in names.items():
        engine.output("image", "tag", source, name)
    try:
        _save(list(names), folder / _IMAGES)
        inspected = {name: _inspect(name) for name in names}
    finally:
        engine.docker("image", "rm", "--no-prune", *names)
    _copy(DESCRIPTION, project.folder, folder)
    manifest = {
        "format": _FORMAT,
        "version": facts.VERSION,
        "platform": engine.platform(),
        "images": inspected,
        "files": {name: _sha256(folder / name) for name in (*DESCRIPTION, _IMAGES)},
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return manifest


def load(archive: Path, home: Home) -> dict[str, Any]:
    """Check a bundle against its manifest, load its images, and copy its files to `home`; return the manifest.

    Needs no network. Raises PlumblineError before loading anything if the archive is damaged or for another version or
    platform.
    """
    home.prepare()
    with _scratch(home.root / _MANIFEST) as folder:
        manifest = _unpack(archive, folder)
        project = Project(home)
        engine.output("load", "--input", str(folder / _IMAGES))
        try:
            for name, expected in manifest["images"].items():
                # Not the id: it depends on how the engine stores images.
                if _inspect(name)["layers"] != expected["layers"]:
                    raise PlumblineError(f"image {name} in {archive} does not match its manifest", hint=_AGAIN)
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
    try:
        with tarfile.open(archive) as tar:
            _extract(tar, _MANIFEST, folder)
            manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_text())
            # First, because another version may list other files.
            _check_version_and_platform(archive, manifest)
            if manifest["files"].keys() != {*DESCRIPTION, _IMAGES} or len(manifest["images"]) != len(IMAGES):
                raise KeyError("its manifest does not list the files of a bundle")
            for name in (*DESCRIPTION, _IMAGES):
                _extract(tar, name, folder)
    except FileNotFoundError:
        raise PlumblineError(f"there is no bundle at {archive}") from None
    except OSError as error:
        raise PlumblineError(f"{archive} cannot be unpacked in {folder.parent}: {error.strerror}") from None
    except (tarfile.TarError, LookupError, TypeError, AttributeError, ValueError, EOFError) as error:
        raise PlumblineError(f"{archive} is not a complete bundle: {error}", hint=_AGAIN) from None
    for name, expected in manifest["files"].items():
        if _sha256(folder / name) != expected:
            raise PlumblineError(f"{name} in {archive} does not match its manifest", hint=_AGAIN)
    return manifest


def _check_version_and_platform(archive: Path, manifest: dict[str, Any]) -> None:
    """Raise PlumblineError if a bundle is for another version or platform."""
    if manifest["format"] != _FORMAT:
        raise PlumblineError(
            f"{archive} has bundle format {manifest['format']!r}, this version of Plumbline reads {_FORMAT}"
        )
    if manifest["version"] != facts.VERSION:
        raise PlumblineError(
            f"{archive} holds Plumbline {manifest['version']}, this checkout is {facts.VERSION}",
            hint=f"check out version {manifest['version']} here, or write a bundle of {facts.VERSION}",
        )
    here = engine.platform()
    if manifest["platform"] != here:
        raise PlumblineError(
            f"{archive} holds images for {manifest['platform']}, this engine runs {here}",
            hint=f"write the bundle on a machine whose engine runs {here}",
        )


def _extract(tar: tarfile.TarFile, name: str, folder: Path) -> None:
    member = tar.extractfile(name)
    if member is None:
        raise KeyError(name)
    (folder / name).parent.mkdir(exist_ok=True)
    with member, (folder / name).open("wb") as out:
        shutil.copyfileobj(member, out, _CHUNK)


@contextmanager
def _scratch(beside: Path) -> Iterator[Path]:
    """Create a temporary folder on the disk of `beside`: images are large, and /tmp may be small."""
    parent = beside.absolute().parent
    for left in parent.glob(f"{_SCRATCH}*"):
        if left.is_symlink() or not left.is_dir() or left.stat().st_uid != os.geteuid():
            continue  # of another user, who could block us in a shared folder
        with _locked(left) as unused:
            if unused:  # the command that created it was killed
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=parent) as name, _locked(Path(name)):
        yield Path(name)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Lock a folder within the block. Yield False if another process has locked it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = True
    except BlockingIOError:
        free = False
    try:
        yield free
    finally:
        os.close(descriptor)


def _save(names: list[str], path: Path) -> None:
    with subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None  # noqa: S101  requested above
        with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0) as out:
            shutil.copyfileobj(saving.stdout, out, _CHUNK)
    if saving.returncode != 0:
        raise PlumblineError(f"docker save ended with exit code {saving.returncode}: is the disk full?")


def _inspect(image: str) -> dict[str, Any]:
    """Return an image's id in this engine, and its layers' digests, which are the same in every engine."""
    found = json.loads(engine.output("image", "inspect", image))[0]
    return {"id": found["Id"], "layers": found["RootFS"]["Layers"]}


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

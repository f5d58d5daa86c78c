"""One Compose project: which files describe it, what it is called, and the environment they are read with."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from servicekit import facts

from plumbline import ROOT
from plumbline.components import CADDY, MIGRATING, migration_step
from plumbline.errors import StepError
from plumbline.home import Home
from plumbline.settings.resolve import NONE, PARTS, Wanted
from plumbline.targets.compose import engine

CHECKOUT = ROOT / "docker"
_CA_BUNDLES = ("PIP_CERT", "SSL_CERT_FILE")
_PUBLISHED = {"PLUMBLINE_FRONT_HOST": "PLUMBLINE_PUBLISH_ADDRESS", "PLUMBLINE_FRONT_PORT": "PLUMBLINE_PUBLISH_PORT"}
"""What is set of the front door, and the variables of compose.yaml that it becomes; in its container it stays."""


@dataclass(frozen=True, slots=True)
class Project:
    """The Compose project of one home, the settings that its parts are told beyond compose.yaml, its secrets' marks.

    `folder` holds compose.yaml: the checkout's docker/, or an unpacked bundle.
    """

    home: Home
    stack_id: str = ""
    front_port: int = facts.FRONT_PORT
    told: Wanted = NONE
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """Tag of the images that this stack is made of: its own, so that stacks side by side cannot mix."""
        return hashlib.sha256(str(self.home.root).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Name of the project; every container, network and volume carries it."""
        return f"plumbline-{self.tag}"

    @property
    def unpacked(self) -> Path:
        """Where `bundle load` puts a bundle's files."""
        return self.home.root / "bundle"

    @property
    def from_bundle(self) -> bool:
        """Say whether the images came in a bundle, and are not to be built."""
        return (self.unpacked / "compose.yaml").exists()

    @property
    def folder(self) -> Path:
        """Folder of compose.yaml."""
        return self.unpacked if self.from_bundle else CHECKOUT

    def environment(self) -> dict[str, str]:
        """Return the environment for Compose: the caller's, and over it what is this stack's own."""
        environment = dict(os.environ)
        if "PLUMBLINE_CA_BUNDLE" not in environment:
            for name in _CA_BUNDLES:
                if Path(environment.get(name, "")).is_file():
                    environment["PLUMBLINE_CA_BUNDLE"] = environment[name]
                    break
        return environment | {
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_ANSI": "never",
            # An attestation says when something was built: with containerd's image store, an image that was built
            # again of the same would be another one, and its container a new one.
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
            "PLUMBLINE_SECRETS_DIR": str(self.home.secrets),
            "PLUMBLINE_TAG": self.tag,
            "PLUMBLINE_VERSION": facts.VERSION,
            "PLUMBLINE_STACK_ID": self.stack_id or "none",
            "PLUMBLINE_PUBLISH_ADDRESS": self.told.of(CADDY.name).get("PLUMBLINE_FRONT_HOST", "127.0.0.1"),
            "PLUMBLINE_PUBLISH_PORT": str(self.front_port),
        }

    def additions(self) -> str:
        """Return what is laid over compose.yaml: the settings of each part, and of its migrations; marks of secrets.

        A container with another label is another container: it is made anew when a secret that it reads is replaced.
        """
        services: dict[str, dict[str, dict[str, str]]] = {}
        for part in PARTS:
            told = {name: value for name, value in self.told.of(part).items() if name not in _PUBLISHED}
            for service in (part, migration_step(part)) if part in MIGRATING else (part,):
                if told:
                    services[service] = {"environment": told}
        for service, read in self._secrets_read().items():
            found = ",".join(self.marks[name] for name in read if name in self.marks)
            if found:
                services.setdefault(service, {})["labels"] = {"plumbline.secrets": found}
        return json.dumps({"services": services})

    def _secrets_read(self) -> dict[str, list[str]]:
        try:
            services = yaml.safe_load((self.folder / "compose.yaml").read_text())["services"]
            return {name: service.get("secrets", []) for name, service in services.items()}
        except (OSError, yaml.YAMLError, LookupError, TypeError, AttributeError):
            return {}  # Compose itself says what is wrong with the file

    def arguments(self, *arguments: str) -> list[str]:
        """Return `compose …` with this project's file."""
        return ["compose", "--file", str(self.folder / "compose.yaml"), *arguments]

    def compose(self, *arguments: str, component: str | None = None) -> str:
        """Run `docker compose ARGUMENTS` on this project and return its output. Raises StepError."""
        whole = self.arguments("--file", "-", *arguments)
        return engine.output(*whole, env=self.environment(), stdin=self.additions(), component=component)

    def look(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `docker compose ARGUMENTS` on this project and return what came of it, whatever its exit code."""
        return engine.docker(*self.arguments("--file", "-", *arguments), env=self.environment(), stdin=self.additions())

    def resolved(self) -> dict[str, Any]:
        """Return the configuration as Compose understands it. It names secret files, and holds no secret."""
        try:
            config: dict[str, Any] = json.loads(self.compose("config", "--format", "json"))
        except StepError as error:
            way_out = "load the bundle again" if self.from_bundle else "restore it (git checkout docker/compose.yaml)"
            raise StepError(f"{self.folder / 'compose.yaml'} cannot be used, {way_out}: {error}") from None
        return config

    def labelled(self, kind: str) -> list[str]:
        """Return the ids of all that belongs to this project: `container`, `volume` or `network`."""
        every = ("--all",) if kind == "container" else ()
        label = f"label=com.docker.compose.project={self.name}"
        return engine.output(kind, "ls", *every, "--quiet", "--filter", label).split()

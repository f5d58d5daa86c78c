"""A Compose project: its files, its name and its environment."""

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
from plumbline.components import BACKEND, BASELINE, CADDY, MIGRATING, migration_step
from plumbline.errors import StepError
from plumbline.home import Home
from plumbline.https.door import Https
from plumbline.plan import ON_BASELINE, TODAY, Lineup
from plumbline.settings.resolve import NONE, PARTS, Wanted
from plumbline.targets.compose import engine
from plumbline.targets.compose.https import VOLUME, in_containers

CHECKOUT = ROOT / "docker"
BASELINE_FILE = "compose.baseline.yaml"
_CA_BUNDLES = ("PIP_CERT", "SSL_CERT_FILE")
_PUBLISHED = {"PLUMBLINE_FRONT_HOST": "PLUMBLINE_PUBLISH_ADDRESS", "PLUMBLINE_FRONT_PORT": "PLUMBLINE_PUBLISH_PORT"}
"""Settings of the front door that become variables of compose.yaml, and not settings in its container."""


class _Loader(yaml.SafeLoader):
    """Reads Compose's own tags as the values behind them."""


def _value(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("!override", _value)


def services_of(file: Path) -> dict[str, dict[str, Any]]:
    """Return the services of a Compose file as they are written. Raises yaml.YAMLError, OSError and LookupError."""
    services: dict[str, dict[str, Any]] = yaml.load(file.read_text(), _Loader)["services"]  # noqa: S506  a SafeLoader
    return services


@dataclass(frozen=True, slots=True)
class Project:
    """The Compose project of one home. `told` holds settings beyond compose.yaml, `marks` fingerprints of secrets.

    `folder` holds compose.yaml: the checkout's docker/, or an unpacked bundle.
    """

    home: Home
    stack_id: str = ""
    front_port: int = facts.FRONT_PORT
    told: Wanted = NONE
    marks: Mapping[str, str] = field(default_factory=dict)
    lineup: Lineup = TODAY
    https: Https | None = None

    @property
    def tag(self) -> str:
        """Tag of this stack's images. Each stack has its own, so that stacks do not share images."""
        return hashlib.sha256(str(self.home.root).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Name of the project; every container, network and volume carries it."""
        return f"plumbline-{self.tag}"

    @property
    def unpacked(self) -> Path:
        """Where `bundle load` puts a bundle's files."""
        return self.home.bundle

    @property
    def from_bundle(self) -> bool:
        """Return whether the images came in a bundle and are not built."""
        return (self.unpacked / "compose.yaml").exists()

    @property
    def folder(self) -> Path:
        """Folder of compose.yaml."""
        return self.unpacked if self.from_bundle else CHECKOUT

    @property
    def files(self) -> list[Path]:
        """The files of the project, of which later ones override earlier ones."""
        names = ("compose.yaml", BASELINE_FILE) if self.lineup is ON_BASELINE else ("compose.yaml",)
        return [self.folder / name for name in names]

    def environment(self) -> dict[str, str]:
        """Return the environment for Compose: the caller's, overridden by this stack's own."""
        environment = dict(os.environ)
        if "PLUMBLINE_CA_BUNDLE" not in environment:
            for name in _CA_BUNDLES:
                if Path(environment.get(name, "")).is_file():
                    environment["PLUMBLINE_CA_BUNDLE"] = environment[name]
                    break
        return environment | {
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_ANSI": "never",
            # An attestation holds the time of the build. With containerd's image store, it would change the image at
            # each build of the same files, and so replace the container.
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
            "PLUMBLINE_SECRETS_DIR": str(self.home.secrets),
            "PLUMBLINE_TAG": self.tag,
            "PLUMBLINE_VERSION": facts.VERSION,
            "PLUMBLINE_STACK_ID": self.stack_id or "none",
            "PLUMBLINE_PUBLISH_ADDRESS": self._address(),
            "PLUMBLINE_PUBLISH_PORT": str(self.front_port),
        }

    def _address(self) -> str:
        own = self.https.front_host if self.https else "127.0.0.1"
        return self.told.of(CADDY.name).get("PLUMBLINE_FRONT_HOST", own)

    def additions(self) -> str:
        """Return the overrides of compose.yaml: settings of each part and its migrations, and marks of secrets.

        The marks are labels, so that Compose recreates a container when a secret that it reads is replaced.
        """
        services: dict[str, dict[str, Any]] = {}
        for part in PARTS:
            told = {name: value for name, value in self.told.of(part).items() if name not in _PUBLISHED}
            for service in (part, migration_step(part)) if part in MIGRATING else (part,):
                if told:
                    services[service] = {"environment": told}
        if self.lineup is ON_BASELINE:
            services[BASELINE.name] = {"environment": self.told.of(BASELINE.settings_of)}
        for service, read in self._secrets_read().items():
            found = ",".join(self.marks[name] for name in read if name in self.marks)
            if found:
                services.setdefault(service, {})["labels"] = {"plumbline.secrets": found}
        if self.https is None:
            return json.dumps({"services": services})
        sessions = self.lineup.answers_at(BACKEND.port.name)
        for service, added in in_containers(self.https, self.front_port, self._address(), sessions).items():
            for key, values in added.items():
                own = services.setdefault(service, {}).setdefault(key, type(values)())
                services[service][key] = own | values if isinstance(values, dict) else own + values
        return json.dumps({"services": services, "volumes": {VOLUME: {}}})

    def _secrets_read(self) -> dict[str, list[str]]:
        try:
            services = {name: one for file in self.files for name, one in services_of(file).items() if "secrets" in one}
            return {name: one["secrets"] for name, one in services.items()}
        except (OSError, yaml.YAMLError, LookupError, TypeError, AttributeError):
            return {}  # Compose itself reports the error

    def arguments(self, *arguments: str) -> list[str]:
        """Return `compose …` with this project's files."""
        return ["compose", *(part for file in self.files for part in ("--file", str(file))), *arguments]

    def compose(self, *arguments: str, component: str | None = None) -> str:
        """Run `docker compose ARGUMENTS` on this project and return its output. Raises StepError."""
        whole = self.arguments("--file", "-", *arguments)
        return engine.output(*whole, env=self.environment(), stdin=self.additions(), component=component)

    def try_compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `docker compose ARGUMENTS` on this project and return the result, for any exit code."""
        return engine.docker(*self.arguments("--file", "-", *arguments), env=self.environment(), stdin=self.additions())

    def resolved(self) -> dict[str, Any]:
        """Return the configuration as Compose reads it. It names secret files, but holds no secret."""
        try:
            config: dict[str, Any] = json.loads(self.compose("config", "--format", "json"))
        except StepError as error:
            way_out = "load the bundle again" if self.from_bundle else "restore it (git checkout docker/compose.yaml)"
            raise StepError(f"{self.folder / 'compose.yaml'} cannot be used, {way_out}: {error}") from None
        return config

    def labelled(self, kind: str, *labels: str) -> list[str]:
        """Return the ids of this project's objects of a kind: `container`, `volume` or `network`."""
        every = ("--all",) if kind == "container" else ()
        wanted = (f"com.docker.compose.project={self.name}", *labels)
        filters = [part for label in wanted for part in ("--filter", f"label={label}")]
        return engine.output(kind, "ls", *every, "--quiet", *filters).split()

    def volumes(self, name: str) -> list[str]:
        """Return the id of the volume that the file calls `name`, if it exists."""
        return self.labelled("volume", f"com.docker.compose.volume={name}")

"""`python -m plumbline.verification.schema`: writes the schema that the migrations make in an empty database."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from plumbline import environment, secret_files
from plumbline.components import MIGRATING, PORTS
from plumbline.home import Home
from plumbline.targets.embedded.programs import Layout, service_command
from plumbline.verification.schema import catalog, comparison
from plumbline.verification.throwaway import throwaway_postgres

_HEAD = f"# The schema that both migration chains make together. Generated: {comparison.WRITE}\n"


@contextmanager
def migrated_database() -> Iterator[str]:
    """Run both chains on a throwaway Postgres, and yield how to connect to it."""
    with throwaway_postgres() as server, tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.secrets.mkdir()
        home.run.mkdir()
        (home.secrets / "postgres_password").write_text(server.password)
        secret_files.generate(home.secrets)
        layout = Layout(home, dict.fromkeys(PORTS, 1) | {"postgres": server.port}, "schema")
        for service in MIGRATING:
            subprocess.run(
                service_command(service, "migrate"), env=layout.migration_environment(service), cwd=home.run,
                check=True, capture_output=True, timeout=300,
            )  # fmt: skip
        yield server.conninfo


def text(schema: catalog.Schema) -> str:
    """Return a schema as TOML: a table for each kind of object of a relation."""
    parts = [_HEAD]
    for relation, kinds in schema.items():
        for kind, objects in kinds.items():
            lines = [f"{_key(name)} = {json.dumps(definition)}" for name, definition in objects.items()]
            parts.append("\n".join([f"[{_key(relation)}.{_key(kind)}]", *lines]) + "\n")
    return "\n".join(parts)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)


def main() -> None:
    """Write the file."""
    environment.drop_settings()
    with migrated_database() as conninfo, psycopg.connect(conninfo) as connection:
        comparison.DECLARED.write_text(text(catalog.read(connection)))
    print(f"{comparison.DECLARED} is written: look at its difference before you commit it")


if __name__ == "__main__":
    main()

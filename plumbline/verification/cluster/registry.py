"""The registry of the cluster: this machine's engine pushes to it, the nodes pull from it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from plumbline import net
from plumbline.targets.compose import engine
from plumbline.verification.cluster.machine import Machine

_PORT = 5000


class Registry:
    """Two servers of one folder: one on this machine's loopback, and one on the machine of the control plane."""

    def __init__(self, folder: Path, machine: Machine, address: str) -> None:
        self._folder = folder
        self._machine = machine
        self._process: subprocess.Popen[bytes] | None = None
        self.inside = f"{address}:{_PORT}"
        """Its address for nodes."""
        self.name = ""
        """Its name in the names of images: its address for the engine, which asks it without TLS there alone."""

    def image(self, name: str) -> str:
        """Return the full name of an image of the cluster's own."""
        return f"{self.name}/cluster/{name}:1"

    def start(self) -> None:
        """Start both servers."""
        port = net.free_port()
        self.name = f"127.0.0.1:{port}"
        log = (self._folder.parent / "registry.log").open("wb")
        with log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", "docker-registry", "serve", str(self._config(self.name))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._machine.spawn("/usr/bin/docker-registry", ["serve", str(self._config(self.inside))])

    def _config(self, address: str) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder.parent / f"registry-{address.partition(':')[0]}.yaml"
        place.write_text(f"""version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {self._folder}}}, delete: {{enabled: true}}}}
http: {{addr: "{address}"}}
""")
        return place

    def push_program(self, name: str, program: Path) -> None:
        """Make an image of one static program, and push it."""
        image = self.image(name)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "program").write_bytes(program.read_bytes())
            (Path(folder) / "program").chmod(0o755)
            (Path(folder) / "Dockerfile").write_text('FROM scratch\nCOPY program /program\nENTRYPOINT ["/program"]\n')
            engine.output("build", "--quiet", "--tag", image, folder)
        try:
            engine.output("push", "--quiet", image)
        finally:
            engine.docker("image", "rm", image)

    def stop(self) -> None:
        """Stop the server on this machine; the other ends with its machine."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

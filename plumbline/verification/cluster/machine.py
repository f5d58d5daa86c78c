"""A machine of the cluster: namespaces of the kernel with a network, mounts and processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from plumbline.errors import PlumblineError
from plumbline.patience import Patience

_START_S = 20.0
_TUNABLES = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""Settings of the kernel that a kubelet makes. They are of the real machine, so a machine here gets files instead."""
_OWN = ("/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", "/var/log", "/etc/cni/net.d", "/etc/containerd")
"""Folders that each machine has for itself."""


def make_places() -> list[Path]:
    """Make the folders over which those of machines are mounted; return what was made, the innermost first."""
    made: list[Path] = []
    for place in map(Path, _OWN):
        lacking = [one for one in (place, *place.parents) if not one.exists()]
        place.mkdir(parents=True, exist_ok=True)
        made = [*lacking, *made]
    return made


class Machine:
    """A machine that is off until `start`. Its first process ends with this one, and everything in it with that."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self._holder: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def is_on(self) -> bool:
        """Return whether its first process runs."""
        return self._holder is not None and self._holder.poll() is None

    @property
    def network(self) -> str:
        """The network namespace, as `ip link set netns` names it."""
        return str(self._pid)

    def start(self) -> None:
        """Start the first process, which adopts and reaps all others, and mount the folders."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child",
             "--mount-proc", "--propagation=private", "bash", "-c", "sleep infinity & wait"],
            stdin=subprocess.DEVNULL, cwd="/", start_new_session=True,
        )  # fmt: skip
        self._pid = self._first_process(self._holder.pid)
        self.run("sh", "-euc", self._setup())

    def _first_process(self, holder: int) -> int:
        patience = Patience(_START_S)
        while True:
            # setpriv and unshare become each other, and fork once; `bash` is there when /proc is mounted.
            for task in Path(f"/proc/{holder}/task").glob("*/children"):
                for child in task.read_text().split():
                    if Path(f"/proc/{child}/comm").read_text().strip() == "bash":
                        return int(child)
            if patience.is_over() or not self.is_on:
                raise PlumblineError(f"the namespaces of {self.name} could not be made")
            time.sleep(0.02)

    def _setup(self) -> str:
        lines = ["mount --make-rshared /", f"hostname {self.name}"]
        for place in _OWN:
            own = self.folder / place.strip("/").replace("/", "-")
            own.mkdir(parents=True, exist_ok=True)
            lines.append(f"mount --bind {own} {place}")
        lines.append("mount -t tmpfs -o mode=755 tmpfs /run; mkdir -p /run/lock")
        for name, value in _TUNABLES.items():
            file = self.folder / "sysctl" / name.replace("/", ".")
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"{value}\n")
            lines.append(f"[ ! -e /proc/sys/{name} ] || mount --bind {file} /proc/sys/{name}")
        lines.append("ip link set lo up; sysctl -qw net.ipv4.ip_forward=1")
        return "; ".join(lines)

    def inside(self, *command: str) -> list[str]:
        """Return a command line that runs a command in this machine."""
        return ["nsenter", f"--target={self._pid}", "--mount", "--net", "--pid", "--uts", "--wd=/", "--", *command]

    def run(self, *command: str, stdin: str = "", check: bool = True) -> str:
        """Run a command in this machine and return its output. Raises PlumblineError if it fails."""
        done = subprocess.run(self.inside(*command), input=stdin, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise PlumblineError(f"{command[0]} failed in {self.name}: {(done.stderr or done.stdout).strip()[-500:]}")
        return done.stdout

    def spawn(
        self, program: Path | str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start a program of this machine, again whenever it ends, with a log in its folder."""
        name = Path(program).name
        with self.log(name).open("ab") as log:
            subprocess.Popen(
                self.inside("sh", "-c", 'while :; do "$@"; sleep 1; done', name, str(program), *arguments),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={"PATH": os.environ["PATH"], "HOME": "/root", **(environment or {})},
            )  # fmt: skip

    def log(self, name: str) -> Path:
        """The log of a program."""
        return self.folder / f"{name}.log"

    def kill(self) -> None:
        """Kill the first process, and with it all others: as if the power was cut."""
        if self._holder is None:
            return
        for pid, how in ((self._pid, signal.SIGKILL), (self._holder.pid, signal.SIGKILL)):
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                continue
        self._holder.wait()
        self._holder = None

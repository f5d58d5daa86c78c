"""`kubectl` for a cluster that lives in the test's process: as much of it as the target uses.

The program is a short shell script that hands its arguments over and prints the answer: it starts in milliseconds, and
every test calls it dozens of times. Rendering is left to the real kubectl or kustomize. Scripts in the pod of Postgres
are run on a Postgres of the tests, and commands in the pod that reads archives on a folder.
"""

from __future__ import annotations

import json
import shlex
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from plumbline.verification.throwaway import PostgresServer

COMPONENT = "app.kubernetes.io/component"
READER = "backup-reader"
"""A pod without a workload."""
NODE = "node-1"
OK = b"0\n"
PROGRAM = """\
#!/bin/bash
[ "$1" = kustomize ] && shift && exec {render} "$@"
LC_ALL=C
[ "$3" = apply ] && text=$(cat)
exec 3<>/dev/tcp/127.0.0.1/{port} || exit 1
printf '%s\\n' "$#" "${{#text}}" >&3
printf '%s\\0' "$@" >&3
printf '%s' "$text" >&3
read -r code <&3 || exit 1
[ "$code" = 0 ] && exec cat <&3
[ "$code" = run ] && eval "$(cat <&3)"
cat <&3 >&2
exit "$code"
"""


class Refused(Exception):  # noqa: N818  # an answer of the cluster
    """What kubectl would say on its way out with exit code 1."""


def node(cpu: str, memory: str) -> dict[str, Any]:
    """The only node of the cluster."""
    return {
        "kind": "Node",
        "metadata": {"name": NODE},
        "spec": {},
        "status": {"allocatable": {"cpu": cpu, "memory": memory}},
    }


def pods_for(state: dict[str, Any], document: dict[str, Any]) -> None:
    """Replace a workload's pods by as many as it wants, all ready; or stuck, where the test says so."""
    labels = document["spec"]["template"]["metadata"]["labels"]
    component = labels[COMPONENT]
    state["pods"] = [pod for pod in state["pods"] if pod["metadata"]["labels"][COMPONENT] != component]
    job = document["kind"] == "Job"
    spec = document["spec"]["template"]["spec"]
    wanted = 1 if job else document["spec"].get("replicas", 1)
    status: dict[str, Any] = {"phase": "Running", "startTime": "2026-01-01T00:00:00Z"}
    status["conditions"] = [{"type": "Ready", "status": "False" if job else "True"}]
    code = state["migration_exit_code"] if job else 0
    ended = [
        {"name": one["name"], "state": {"terminated": {"exitCode": code if one["name"].startswith("migrate") else 0}}}
        for one in spec.get("initContainers", [])
    ]
    status["initContainerStatuses"] = ended
    if component in state["stuck"]:
        waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
        status["containerStatuses"] = [{"name": component, "state": {"waiting": waiting}}]
        status["conditions"][0]["status"] = "False"
    if job:
        labels = {**labels, "batch.kubernetes.io/job-name": document["metadata"]["name"]}
        condition = {"type": "Failed" if code else "Complete", "status": "True"}
        document["status"] = {"conditions": [condition]}
    else:
        generation = document["metadata"].get("generation", 0) + 1
        document["metadata"]["generation"] = generation
        document["status"] = {"observedGeneration": generation, "updatedReplicas": wanted}
    state["pods"] += [
        {
            "kind": "Pod",
            "metadata": {
                "name": f"{component}-{number}",
                "labels": labels,
                "namespace": document["metadata"]["namespace"],
            },
            "spec": {**spec, "nodeName": NODE},
            "status": status,
        }
        for number in range(wanted)
    ]


def apply(state: dict[str, Any], text: str) -> None:
    for document in yaml.load_all(text, Loader=yaml.CSafeLoader):
        kind, name = document["kind"], document["metadata"]["name"]
        known = state["resources"].get(f"{kind}/{name}", {})
        policy = document["spec"].get("podManagementPolicy") if kind == "StatefulSet" else None
        if policy and known and known["spec"].get("podManagementPolicy") != policy:
            raise Refused(
                f'The StatefulSet "{name}" is invalid: spec: Forbidden: updates to statefulset spec for fields other'
            )
        document["metadata"]["generation"] = known.get("metadata", {}).get("generation", 0)
        annotations = known.get("metadata", {}).get("annotations", {})
        document["metadata"].setdefault("annotations", {}).update(annotations)
        if kind == "Deployment" and "replicas" not in document["spec"] and known:
            document["spec"]["replicas"] = known["spec"].get("replicas", 1)
        state["applied"].append(f"{kind}/{name}")
        if kind in ("Deployment", "StatefulSet") and known.get("spec") == document["spec"]:
            continue  # nothing new, and the pods stay as they are
        if kind == "Pod":
            ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            state["pods"].append({**document, "status": ready})
            continue
        state["resources"][f"{kind}/{name}"] = document
        if kind in ("Deployment", "StatefulSet", "Job"):
            pods_for(state, document)


def get(state: dict[str, Any], kinds: str, options: list[str]) -> list[dict[str, Any]]:
    wanted = {kind.rstrip("s").lower() for kind in kinds.split(",")}
    found = [one for one in state["resources"].values() if one["kind"].lower() in wanted]
    if "pod" in wanted:
        found += state["pods"]
    if "node" in wanted:
        found += state["nodes"]
    for option in options:
        if option.startswith("--selector="):
            key, _, value = option.removeprefix("--selector=").partition("=")
            found = [one for one in found if key in one["metadata"].get("labels", {})]
            found = [one for one in found if not value or one["metadata"]["labels"][key] == value]
        if option.startswith("--field-selector=metadata.name="):
            found = [one for one in found if one["metadata"]["name"] == option.rpartition("=")[2]]
    return found


def delete(state: dict[str, Any], kind: str, name: str, *, orphan: bool) -> None:
    if kind == "pod" and name == READER:
        state["pods"] = [pod for pod in state["pods"] if pod["metadata"]["name"] != name]
    elif kind == "pod":
        # Whose it was makes another.
        owner = next(pod["metadata"]["labels"][COMPONENT] for pod in state["pods"] if pod["metadata"]["name"] == name)
        whole = ("Deployment", "StatefulSet")
        pods_for(
            state, next(state["resources"][f"{one}/{owner}"] for one in whole if f"{one}/{owner}" in state["resources"])
        )
    if kind == "namespace":
        state["resources"], state["pods"] = {}, []
    gone = [key for key in state["resources"] if key.lower() == f"{kind}/{name}"]
    for key in gone:
        template = state["resources"].pop(key)["spec"].get("template")
        if orphan or template is None:
            continue
        labels = template["metadata"]["labels"]
        state["pods"] = [pod for pod in state["pods"] if pod["metadata"]["labels"][COMPONENT] != labels[COMPONENT]]


def forward(client: socket.socket, here: int, there: int) -> None:
    """Carry every connection to where the test has put the real thing, until `client` goes away."""
    with socket.create_server(("127.0.0.1", here)) as listener:
        listening = threading.Thread(target=accept, args=(listener, there), daemon=True)
        listening.start()
        client.sendall(OK)
        client.recv(1)
        # Closing alone would not wake a thread that waits in accept().
        listener.shutdown(socket.SHUT_RDWR)
        listening.join()


def accept(listener: socket.socket, there: int) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", there))
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=carry, args=(source, sink), daemon=True).start()


def carry(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class FakeCluster:
    """What the fake kubectl knows, and what it was told."""

    def __init__(self, folder: Path, render: list[str]) -> None:
        self.state: dict[str, Any] = {
            "context": "kind-test", "versions": ["33", "33+"],
            "away": False, "forbidden": [], "stuck": [], "migration_exit_code": 0,
            "forward_error": "", "nodes": [node("4", "8Gi")], "resources": {}, "pods": [], "applied": [], "behind": {},
        }  # fmt: skip
        self.told: list[list[str]] = []
        self.postgres: Callable[[list[str]], list[str]] | None = None
        """Returns the command line that runs a script of Postgres's pod on a Postgres of the tests."""
        self.claim = folder / "claim"
        """The folder that stands for the claim of archives."""
        self.on_job: Callable[[dict[str, Any]], None] = lambda _: None
        """Does the work of a Job."""
        self._lock = threading.Lock()
        cluster = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                count, length = (int(self.rfile.readline()) for _ in range(2))
                arguments = [self._argument() for _ in range(count)]
                cluster.answer(arguments, self.rfile.read(length).decode(), self.connection)

            def _argument(self) -> str:
                found = bytearray()
                while (byte := self.rfile.read(1)) != b"\0":
                    found += byte
                return found.decode()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.program = folder / "kubectl"
        self.program.write_text(PROGRAM.format(render=shlex.join(render), port=self._server.server_address[1]))
        self.program.chmod(0o755)

    @contextmanager
    def using(self, server: PostgresServer) -> Iterator[None]:
        """Run the scripts of Postgres's pod on this server, as the application's role."""
        with server._cluster.throwaway() as (folder, as_account):
            path = f"PATH={server._cluster.binaries}:/usr/bin:/bin"
            address = [str(server.password_file), server.host, str(server.port), server.database, server.user]

            def local(command: list[str]) -> list[str]:
                script, given = command[:4], command[4:]
                if "/throwaway-" in given[0]:
                    return [*as_account, *script, str(folder / "throwaway"), *given[1:]]
                return ["env", "-i", path, *script, *address, *given[5:]]

            self.postgres = local
            yield

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def change(self, **changes: object) -> None:
        self.state.update(changes)

    def calls(self) -> list[list[str]]:
        return self.told

    def workload(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.state["resources"][f"{kind}/{name}"]
        return found

    def answer(self, arguments: list[str], text: str, client: socket.socket) -> None:
        """Do what one call wants, and send exit code and output."""
        self.told.append(arguments)
        if "port-forward" in arguments[2:3] and self.state["forward_error"]:
            client.sendall(f"1\n{self.state['forward_error']}\n".encode())
            return
        if "port-forward" in arguments[2:3] and not self.state["away"]:
            service, ports = arguments[4].removeprefix("service/"), arguments[5]
            forward(client, int(ports.partition(":")[0]), self.state["behind"][service])
            return
        if local := self._local(arguments):
            client.sendall(f"run\nexec {shlex.join(local)}".encode())
            return
        try:
            with self._lock:
                said = self._carry_out(arguments, text)
        except Refused as refusal:
            client.sendall(f"1\n{refusal}\n".encode())
        else:
            client.sendall(OK + (f"{said}\n" if said else "").encode())

    def _local(self, arguments: list[str]) -> list[str]:
        """Return the command line that does here what a command in a pod does; empty for others."""
        if arguments[2:3] != ["exec"] or "--" not in arguments or self.state["away"]:
            return []
        command = arguments[arguments.index("--") + 1 :]
        if READER in arguments:
            return [one.replace("/backups", str(self.claim)) for one in command]
        is_script = "--container=postgres" in arguments and command[:2] == ["bash", "-c"]
        return self.postgres(command) if self.postgres and is_script else []

    def _carry_out(self, arguments: list[str], text: str) -> str:
        state = self.state
        if arguments[:2] == ["config", "current-context"]:
            return str(state["context"])
        command, options = arguments[2], arguments[3:]
        if state["away"]:
            raise Refused("Unable to connect to the server: dial tcp: connection refused")
        match command:
            case "apply":
                apply(state, text)
                for document in yaml.load_all(text, Loader=yaml.CSafeLoader):
                    if document["kind"] == "Job":
                        self.on_job(document)
            case "get" if options[0] == "namespace":
                found = state["resources"].get(f"Namespace/{arguments[1].partition('=')[2]}")
                return json.dumps(found) if found else ""
            case "get":
                return json.dumps({"items": get(state, options[0], options[1:])}) if "--output=json" in options else ""
            case "delete":
                delete(state, options[0], options[1], orphan="--cascade=orphan" in options)
            case "annotate":
                key, _, value = options[2].partition("=")
                self._named(options[1])["metadata"].setdefault("annotations", {})[key] = value
            case "scale":
                document = self._named(options[0])
                document["spec"]["replicas"] = int(options[1].rpartition("=")[2])
                pods_for(state, document)
            case "logs":
                several = "--selector" in options[0] or "/" in options[0]
                return "one line\nanother line" if several else f"of {options[0]}"
            case "version":
                versions = zip(("clientVersion", "serverVersion"), state["versions"], strict=True)
                return json.dumps({key: {"major": "1", "minor": minor} for key, minor in versions})
            case "auth":
                if " ".join(options[1:]) in state["forbidden"]:
                    raise Refused("no")
                return "yes"
            case "patch":
                change = json.loads(options[2].partition("=")[2])
                state["resources"][f"{options[0].capitalize()}/{options[1]}"]["spec"] |= change["spec"]
            case "exec" | "describe":
                pass
            case _:
                raise Refused(f"error: unknown command {command}")
        return ""

    def _named(self, address: str) -> dict[str, Any]:
        kind, name = address.split("/")
        return next(one for one in get(self.state, kind, []) if one["metadata"]["name"] == name)

"""`kubectl` for a cluster that is a file: as much of it as the target uses. Rendering is left to the real one.

Everything it was told is kept in `calls.json` lines, so that tests see what would have gone to a real cluster.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
STATE = HERE / "state.json"
COMPONENT = "app.kubernetes.io/component"


def load() -> dict[str, Any]:
    return json.loads(STATE.read_text())


def save(state: dict[str, Any]) -> None:
    partial = STATE.with_suffix(".partial")
    partial.write_text(json.dumps(state))
    partial.replace(STATE)


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
        {"kind": "Pod", "metadata": {"name": f"{component}-{number}", "labels": labels}, "status": status}
        for number in range(wanted)
    ]


def apply(state: dict[str, Any]) -> None:
    for document in yaml.load_all(sys.stdin, Loader=yaml.CSafeLoader):
        kind, name = document["kind"], document["metadata"]["name"]
        known = state["resources"].get(f"{kind}/{name}", {})
        policy = document["spec"].get("podManagementPolicy") if kind == "StatefulSet" else None
        if policy and known and known["spec"].get("podManagementPolicy") != policy:
            sys.exit(
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
        state["resources"][f"{kind}/{name}"] = document
        if kind in ("Deployment", "StatefulSet", "Job"):
            pods_for(state, document)


def get(state: dict[str, Any], kinds: str, options: list[str]) -> list[dict[str, Any]]:
    wanted = {kind.rstrip("s").lower() for kind in kinds.split(",")}
    found = [one for one in state["resources"].values() if one["kind"].lower() in wanted]
    if "pod" in wanted:
        found += state["pods"]
    for option in options:
        if option.startswith("--selector="):
            key, _, value = option.removeprefix("--selector=").partition("=")
            found = [one for one in found if key in one["metadata"].get("labels", {})]
            found = [one for one in found if not value or one["metadata"]["labels"][key] == value]
        if option.startswith("--field-selector=metadata.name="):
            found = [one for one in found if one["metadata"]["name"] == option.rpartition("=")[2]]
    return found


def delete(state: dict[str, Any], kind: str, name: str, *, orphan: bool) -> None:
    if kind == "pod":
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
        labels = state["resources"].pop(key)["spec"]["template"]["metadata"]["labels"]
        if orphan:
            continue
        state["pods"] = [pod for pod in state["pods"] if pod["metadata"]["labels"][COMPONENT] != labels[COMPONENT]]


def forward(state: dict[str, Any], service: str, here: int) -> None:
    """Carry every connection to where the test has put the real thing."""
    target = state["behind"][service]
    with socket.create_server(("127.0.0.1", here)) as listener:
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", target))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=carry, args=(source, sink), daemon=True).start()


def carry(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def main() -> int:
    arguments = sys.argv[1:]
    state = load()
    if arguments[0] == "kustomize":
        return subprocess.run([state["kubectl"], *arguments], check=False).returncode
    with (HERE / "calls.json").open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    if arguments[:2] == ["config", "current-context"]:
        print(state["context"])
        return 0
    command, options = arguments[2], arguments[3:]
    if state["away"]:
        print("Unable to connect to the server: dial tcp: connection refused", file=sys.stderr)
        return 1
    match command:
        case "apply":
            apply(state)
        case "get" if options[0] == "namespace":
            found = state["resources"].get(f"Namespace/{arguments[1].partition('=')[2]}")
            print(json.dumps(found) if found else "")
        case "get":
            print(json.dumps({"items": get(state, options[0], options[1:])}) if "--output=json" in options else "")
        case "delete":
            delete(state, options[0], options[1], orphan="--cascade=orphan" in options)
        case "annotate":
            key, _, value = options[2].partition("=")
            kind, name = options[1].split("/")
            document = next(one for one in get(state, kind, []) if one["metadata"]["name"] == name)
            document["metadata"].setdefault("annotations", {})[key] = value
        case "scale":
            kind, name = options[0].split("/")
            document = next(one for one in get(state, kind, []) if one["metadata"]["name"] == name)
            document["spec"]["replicas"] = int(options[1].rpartition("=")[2])
            pods_for(state, document)
        case "port-forward":
            forward(state, options[1].removeprefix("service/"), int(options[2].partition(":")[0]))
        case "logs":
            print("one line\nanother line" if "--selector" in options[0] or "/" in options[0] else f"of {options[0]}")
        case "version":
            versions = zip(("clientVersion", "serverVersion"), state["versions"], strict=True)
            print(json.dumps({key: {"major": "1", "minor": minor} for key, minor in versions}))
        case "auth":
            if " ".join(options[1:]) in state["forbidden"]:
                print("no")
                return 1
            print("yes")
        case "exec" | "describe":
            pass
        case _:
            print(f"error: unknown command {command}", file=sys.stderr)
            return 1
    save(state)
    return 0


if __name__ == "__main__":
    sys.exit(main())

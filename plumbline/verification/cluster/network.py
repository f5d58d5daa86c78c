"""The network of the cluster: a switch in the control plane's namespace, to which nodes and this machine connect."""

from __future__ import annotations

import ipaddress
import json
import subprocess

from plumbline.errors import PlumblineError
from plumbline.verification.cluster.machine import Machine

SWITCH = "switch"
PODS = "10.244.0.0/16"
"""Addresses of pods. Only machines of the cluster route them."""
SERVICES, API, DNS = "10.96.0.0/16", "10.96.0.1", "10.96.0.10"


def free_subnet() -> ipaddress.IPv4Network:
    """Return a private network that no route of this machine leads to."""
    said = subprocess.run(["ip", "-json", "route", "show", "table", "all"], capture_output=True, text=True, check=True)
    taken = [
        ipaddress.ip_network(one["dst"], strict=False)
        for one in json.loads(said.stdout or "[]")
        if one["dst"] != "default" and ":" not in one["dst"]
    ]
    for number in range(64, 255):
        found = ipaddress.IPv4Network(f"172.30.{number}.0/24")
        if not any(found.overlaps(one) for one in taken):
            return found
    raise PlumblineError("no network of 172.30.64.0 to 172.30.254.0 is free on this machine")


def pods_of(number: int) -> str:
    """The addresses of the pods of a node."""
    return str(list(ipaddress.IPv4Network(PODS).subnets(new_prefix=24))[number])


class Network:
    """The addresses of the cluster."""

    def __init__(self, subnet: ipaddress.IPv4Network) -> None:
        self._subnet = subnet
        self.here = str(subnet[254])
        """This machine."""
        self.control_plane = str(subnet[1])

    def node(self, number: int) -> str:
        """The address of a node; they count from 1."""
        return str(self._subnet[10 + number])

    def connect_control_plane(self, machine: Machine, port: str) -> None:
        """Make the switch, and connect this machine to it. The connection ends with the namespace."""
        machine.run(
            "sh",
            "-euc",
            f"""
            ip link add {SWITCH} address 02:00:00:00:00:01 type bridge
            ip address add {self.control_plane}/{self._subnet.prefixlen} dev {SWITCH}
            ip link set {SWITCH} up
            sysctl -qw net.bridge.bridge-nf-call-iptables=0""",
        )
        _ip("link", "add", port, "type", "veth", "peer", "name", "outside", "netns", machine.network)
        _ip("address", "add", f"{self.here}/{self._subnet.prefixlen}", "dev", port)
        _ip("link", "set", port, "up")
        machine.run("ip", "link", "set", "outside", "master", SWITCH, "up")

    def connect_node(self, control_plane: Machine, machine: Machine, number: int, nodes: int) -> None:
        """Connect a node to the switch, with routes to the pods of all others."""
        port = self.port(number)
        control_plane.run("ip", "link", "delete", port, check=False)
        ends = ("link", "add", port, "netns", control_plane.network, "type", "veth")
        _ip(*ends, "peer", "name", "eth0", "netns", machine.network)
        control_plane.run("ip", "link", "set", port, "master", SWITCH, "up")
        address = self.node(number)
        machine.run("ip", "address", "add", f"{address}/{self._subnet.prefixlen}", "dev", "eth0")
        machine.run("ip", "link", "set", "eth0", "up")
        machine.run("ip", "route", "add", "default", "via", self.control_plane)
        for other in range(1, nodes + 1):
            if other != number:
                machine.run("ip", "route", "add", pods_of(other), "via", self.node(other))
        control_plane.run("ip", "route", "replace", pods_of(number), "via", address)

    def port(self, number: int) -> str:
        """The port of the switch that leads to a node."""
        return f"node{number}"

    def cut(self, control_plane: Machine, number: int) -> None:
        """Pull a node's cable."""
        control_plane.run("ip", "link", "set", self.port(number), "down")

    def mend(self, control_plane: Machine, number: int) -> None:
        """Plug a node's cable in again."""
        control_plane.run("ip", "link", "set", self.port(number), "up")


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PlumblineError(f"ip {' '.join(arguments)} failed: {done.stderr.strip()}")

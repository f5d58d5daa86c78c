"""Free ports and listeners."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil

from plumbline import net


def test_a_free_port_can_be_bound_for_both_protocols():
    port = net.free_port()
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", port))
        udp.bind(("127.0.0.1", port))
    assert net.is_free(port)


def test_the_system_gives_no_connection_a_free_port(monkeypatch):
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if low > max(net._PORTS):
        assert net.free_port() < low
    monkeypatch.setattr(net, "_first_of_connections", lambda: 1024)
    assert net.is_free(net.free_port()), "where the system gives out all ports, any free one"


def test_a_free_port_is_not_chosen_again_soon():
    assert len({net.free_port() for _ in range(50)}) == 50


def test_processes_that_share_the_ports_choose_different_ones(monkeypatch):
    monkeypatch.setattr(net, "_ports", None)
    parts = []
    for part in range(3):
        net.use_ports(part, 3)
        size = len(net._PORTS) // 3
        parts.append({next(net._ports) for _ in range(size)})
    assert len(set.union(*parts)) == 3 * size


def test_a_port_with_a_listener_on_loopback_or_everywhere_is_not_free():
    for address in ("127.0.0.1", ""):
        with socket.socket() as taken:
            taken.bind((address, 0))
            taken.listen()
            assert not net.is_free(taken.getsockname()[1])


def test_a_port_in_time_wait_is_free():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server, _ = listener.accept()
            server.close()
            client.recv(1)
    assert net.is_free(port), "TIME_WAIT does not keep a listener out"


def test_the_listener_is_named():
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        port = int(other.stdout.readline())
        assert net.listener(port).pid == other.pid
        said = net.describe_listener(port)
        assert f"pid {other.pid}" in said
        assert "python" in said
        assert psutil.Process().username() in said
        other.communicate("\n")


def test_a_connection_to_a_port_is_not_its_listener():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        assert net.listener(client.getsockname()[1]) is None
        assert net.listener(listener.getsockname()[1]).pid == os.getpid()


def test_a_free_port_has_no_listener():
    port = net.free_port()
    assert net.listener(port) is None
    assert "may not see" in net.describe_listener(port)

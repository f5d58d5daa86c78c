"""Free ports and listeners."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import psutil

from plumbline import net


def test_a_free_port_can_be_bound_for_both_protocols():
    port = net.free_port()
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", port))
        udp.bind(("127.0.0.1", port))
    assert net.is_free(port)


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

"""Checks a service in a container: `probe.py PORT PATH`. Prints the reason if the answer is not 200.

Exit code 0: the answer is 200. 1: another answer, or the port is closed. 2: no answer, so the service hangs.

Uses plain sockets: it runs every few seconds, and importing an HTTP client costs more than the request.
"""

import socket
import sys

TIMEOUT_S = 3

port, path = int(sys.argv[1]), sys.argv[2]
try:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
except TimeoutError:
    print(f"port {port} accepts connections but does not answer within {TIMEOUT_S} s", file=sys.stderr)
    sys.exit(2)
except OSError as error:
    sys.exit(f"port {port} does not answer: {error}")
head, _, body = answer.partition(b"\r\n\r\n")
if b" 200 " not in head.split(b"\r\n", 1)[0] + b" ":
    sys.exit(body.decode("utf-8", "replace")[:500] or "no answer")

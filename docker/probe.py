"""Health check of a service's container: `probe.py PORT PATH` ends with 0 if the answer is 200, and else says why.

Plain sockets, because it runs every few seconds beside the service: importing an HTTP client costs more than asking.
"""

import socket
import sys

PATIENCE_S = 3

port, path = int(sys.argv[1]), sys.argv[2]
try:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
except OSError as error:
    sys.exit(f"port {port} does not answer: {error}")
head, _, body = answer.partition(b"\r\n\r\n")
if b" 200 " not in head.split(b"\r\n", 1)[0] + b" ":
    sys.exit(body.decode("utf-8", "replace")[:500] or "no answer")

"""Asks a service in a container how it is: `probe.py PORT PATH` ends with 0 if the answer is 200, and else says why.

It ends with 1 if the answer is another or the port is closed, and with 2 if there is no answer: then the service hangs.

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
except TimeoutError:
    print(f"port {port} takes connections and does not answer within {PATIENCE_S} s", file=sys.stderr)
    sys.exit(2)
except OSError as error:
    sys.exit(f"port {port} does not answer: {error}")
head, _, body = answer.partition(b"\r\n\r\n")
if b" 200 " not in head.split(b"\r\n", 1)[0] + b" ":
    sys.exit(body.decode("utf-8", "replace")[:500] or "no answer")

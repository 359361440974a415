"""A tenant that asks gateways for a tunnel, and tells what each said.

``GATEWAY CA TARGET``; on standard input lines of ``PORT USER:PASSWORD``. For each, a line with the
status and the reason comes back: ``403 This gateway is set apart for others; use another one.``, or
``0`` and what went wrong before an answer came.
"""

import base64
import re
import socket
import ssl
import sys

LONGEST_SECONDS = 20.0


def knock(gateway: str, port: int, context: ssl.SSLContext, target: str, login: str) -> str:
    """What a gateway says to a CONNECT."""
    said = base64.b64encode(login.encode()).decode()
    request = f"CONNECT {target} HTTP/1.1\r\nProxy-Authorization: Basic {said}\r\n\r\n"
    try:
        with (
            socket.create_connection((gateway, port), timeout=LONGEST_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=gateway) as tunnel,
        ):
            tunnel.sendall(request.encode())
            with tunnel.makefile("rb") as answer:
                status = answer.readline().split()[1].decode()
                head = b"".join(iter(answer.readline, b"\r\n"))
                length = re.search(rb"(?i)content-length: (\d+)", head)
                reason = answer.read(int(length[1])) if length else b""
                return f"{status} {reason.decode().strip()}".strip()
    except OSError as error:
        return f"0 {error}"


if __name__ == "__main__":
    trusted = ssl.create_default_context(cafile=sys.argv[2])
    for line in sys.stdin:
        number, _, who = line.strip().partition(" ")
        answered = knock(sys.argv[1], int(number), trusted, sys.argv[3], who)
        sys.stdout.write(f"{answered}\n")
        sys.stdout.flush()

"""A repository that hashes what it gets, and a tenant that sends until it is told to stop.

``serve PORT``: for each connection, frames of four bytes of length and data; at the empty frame the
SHA-256 of all data goes back; at a length of all ones, how many bytes have come, in eight bytes.
``send GATEWAY PORT CA TARGET USER:PASSWORD``: says ``connected``, sends for as long as standard
input is open, and says whether both ends agree. For each line of standard input, it asks the
repository how far it is, and says that.
"""

import base64
import hashlib
import os
import select
import socket
import socketserver
import ssl
import sys
import time

PIECE_BYTES = 32 * 1024
PAUSE_SECONDS = 0.005
ASK = bytes([255] * 4)


class _Repository(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Hash one connection."""
        found, came_bytes = hashlib.sha256(), 0
        while (head := self.rfile.read(4)) not in {b"", bytes(4)}:
            if head == ASK:
                self.wfile.write(came_bytes.to_bytes(8))
                continue
            data = self.rfile.read(int.from_bytes(head))
            found.update(data)
            came_bytes += len(data)
        self.wfile.write(found.digest())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def serve(port: int) -> None:
    """Be the repository."""
    with _Server(("0.0.0.0", port), _Repository) as server:
        server.serve_forever()


def connect(gateway: str, port: int, ca_file: str, target: str, login: str) -> ssl.SSLSocket:
    """A tunnel to `target`; ends the process with the gateway's answer when it is refused."""
    context = ssl.create_default_context(cafile=ca_file)
    plain = socket.create_connection((gateway, port), timeout=30)
    tunnel = context.wrap_socket(plain, server_hostname=gateway)
    said = base64.b64encode(login.encode()).decode()
    tunnel.sendall(
        f"CONNECT {target} HTTP/1.1\r\nProxy-Authorization: Basic {said}\r\n\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = tunnel.recv(1)
        if not more:
            sys.exit("closed")
        answer += more
    if b" 200 " not in answer.splitlines()[0]:
        sys.exit(answer.decode())
    return tunnel


def send(tunnel: ssl.SSLSocket) -> None:
    """Send until standard input ends, and compare."""
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    sent = hashlib.sha256()
    piece = os.urandom(PIECE_BYTES)
    while True:
        if select.select([sys.stdin], [], [], 0)[0]:
            if not sys.stdin.readline():
                break
            tunnel.sendall(ASK)
            sys.stdout.write(f"{int.from_bytes(_read(tunnel, 8))}\n")
            sys.stdout.flush()
        sent.update(piece)
        tunnel.sendall(len(piece).to_bytes(4) + piece)
        time.sleep(PAUSE_SECONDS)
    tunnel.sendall(bytes(4))
    found = _read(tunnel, 32)
    sys.exit(0 if found == sent.digest() else "different")


def _read(tunnel: ssl.SSLSocket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        more = tunnel.recv(length - len(found))
        if not more:
            sys.exit("closed")
        found += more
    return found


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        send(connect(sys.argv[2], int(sys.argv[3]), *sys.argv[4:7]))

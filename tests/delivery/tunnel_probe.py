"""On a fresh machine: a tunnel that carries numbered bytes until it is told to stop.

It prints ``open``, and at the end of its input how much came back as it was sent.
"""

import base64
import socket
import ssl
import sys
import threading

PIECE = 64 * 1024


def answer(line: socket.socket) -> None:
    while piece := line.recv(PIECE):
        line.sendall(piece)


def echo() -> int:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            line, _ = listener.accept()
            threading.Thread(target=answer, args=(line,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def carry(line: ssl.SSLSocket, ended: threading.Event) -> int:
    carried = 0
    while not ended.is_set():
        sent = (carried.to_bytes(8, "big") * (PIECE // 8))[:PIECE]
        line.sendall(sent)
        came = b""
        while len(came) < PIECE:
            part = line.recv(PIECE - len(came))
            assert part, "the tunnel was cut"
            came += part
        assert came == sent, "other bytes came back"
        carried += PIECE
    return carried


def main() -> None:
    authority, name, password, target = sys.argv[1:]
    print(echo(), flush=True)
    sys.stdin.readline()
    context = ssl.create_default_context(cafile=authority)
    plain = socket.create_connection(("localhost", 6180), 20)
    line = context.wrap_socket(plain, server_hostname="localhost")
    proof = base64.b64encode(f"{name}:{password}".encode()).decode()
    line.sendall(
        f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
        f"Proxy-Authorization: Basic {proof}\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += line.recv(1)
    print(head.decode().splitlines()[0], flush=True)
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    print(carry(line, ended), flush=True)


main()

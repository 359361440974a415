"""Python's http.client as it was before 3.12: CONNECT in HTTP/1.0, by TLS to the gateway."""

import base64
import http.client
import os
import ssl
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

proxy = urlsplit(os.environ["HTTPS_PROXY"])
login = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}".encode()
trust = ssl.create_default_context(cafile="trusted.pem")


class Connection(http.client.HTTPSConnection):
    """To the gateway; what goes on in the tunnel is TLS in TLS."""

    _http_vsn = 10
    _http_vsn_str = "HTTP/1.0"

    def send_tunnelled(self, request: bytes) -> bytes:
        """The answer to a request in the tunnel."""
        came, going = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = trust.wrap_bio(came, going, server_hostname="files.example")
        answer = b""

        def step(do: object) -> object:
            while True:
                try:
                    return do()  # type: ignore[operator]
                except ssl.SSLWantReadError:
                    self.sock.sendall(going.read())
                    data = self.sock.recv(65536)
                    if data:
                        came.write(data)
                    else:
                        came.write_eof()
                finally:
                    if going.pending:
                        self.sock.sendall(going.read())

        step(inner.do_handshake)
        for at in range(0, len(request), 16384):
            piece = request[at : at + 16384]
            step(lambda piece=piece: inner.write(piece))
        while True:
            try:
                data = step(lambda: inner.read(65536))
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return answer
            if not data:
                return answer
            answer += data  # type: ignore[operator]


def ask(request: bytes) -> bytes:
    """The body of a good answer."""
    connection = Connection(proxy.hostname or "", proxy.port, context=trust)
    said = base64.b64encode(login).decode()
    connection.connect()
    connection.set_tunnel = None  # type: ignore[method-assign, assignment]
    connection._tunnel_host, connection._tunnel_port = "files.example", 8443  # type: ignore[attr-defined]
    connection._tunnel_headers = {"Proxy-Authorization": f"Basic {said}"}  # type: ignore[attr-defined]
    connection._tunnel()  # type: ignore[attr-defined]
    head, _, body = connection.send_tunnelled(request).partition(b"\r\n\r\n")
    if head.split()[1][:1] != b"2":
        sys.exit(head.decode())
    connection.close()
    return body


tar = Path("home.tar").read_bytes()
where = b"/http_client.tar HTTP/1.0\r\nHost: files.example\r\n"
ask(b"PUT " + where + f"Content-Length: {len(tar)}\r\n\r\n".encode() + tar)
Path("restored.tar").write_bytes(ask(b"GET " + where + b"\r\n"))

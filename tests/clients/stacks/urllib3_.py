"""urllib3."""

import base64
import os
import ssl
from pathlib import Path
from urllib.parse import unquote, urlsplit

import urllib3

proxy = urlsplit(os.environ["HTTPS_PROXY"])
login = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}".encode()
trust = ssl.create_default_context(cafile="trusted.pem")
with urllib3.ProxyManager(
    f"https://{proxy.hostname}:{proxy.port}",
    proxy_headers={"Proxy-Authorization": "Basic " + base64.b64encode(login).decode()},
    proxy_ssl_context=trust,
    ssl_context=trust,
) as http:
    url = "https://files.example:8443/urllib3.tar"
    assert http.request("PUT", url, body=Path("home.tar").read_bytes()).status == 201
    Path("restored.tar").write_bytes(http.request("GET", url).data)

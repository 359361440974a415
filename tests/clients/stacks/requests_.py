"""requests, with the gateway from HTTPS_PROXY."""

from pathlib import Path

import requests

url = "https://files.example:8443/requests.tar"
trusted = "trusted.pem"
with requests.Session() as session:
    data = Path("home.tar").read_bytes()
    session.put(url, data=data, verify=trusted, timeout=60).raise_for_status()
    answer = session.get(url, verify=trusted, timeout=60)
answer.raise_for_status()
Path("restored.tar").write_bytes(answer.content)

"""Is a file with a password the same password to each command that reads one?"""

import asyncio
import base64
import contextlib
import re
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cloudgate.cli.app import app
from cloudgate.cli.service.manager.options import OutgoingOptions
from cloudgate.cli.service.manager.outgoing import outgoing_of
from cloudgate.errors import InvalidRequestError
from tests.cli.conftest import Run
from tests.support.certificates.authority import Authority
from tests.support.running.manager import RunningManager
from tests.support.waiting import PATIENCE_SECONDS


async def shown_by_connector(authority: Authority, folder: Path, password: Path) -> str:
    """The name and password that the connector shows a gateway, as ``name:password``."""
    heads: asyncio.Queue[bytes] = asyncio.Queue()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            heads.put_nowait(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    (folder / "gateway.pem").write_text(authority.pem)
    context = authority.server_context(folder)
    server = await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cloudgate", "connect", f"localhost:{port}"),
            *("--tenant", "acme", "--password-file", str(password)),
            *("--ca", str(folder / "gateway.pem"), "-W", "vault.example:443"),
            stdin=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = await heads.get()
            await process.wait()
    found = re.search(rb"(?i)authorization: basic (\S+)", head)
    assert found, head
    return base64.b64decode(found[1]).decode()


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_tenant_is_made_with_the_password_that_the_connector_shows(
    cloudgate: Run, running: RunningManager, home: Path, end: str
) -> None:
    """Blanks are the password's, as where one is typed; the end of the line is not."""
    file = home / "acme.password"
    file.write_bytes(f" Grünes Boot 7\t {end}".encode())
    made = cloudgate("tenant", "create", "acme", "--own-passwords", "--password-file", str(file))
    assert made.exit_code == 0, made.output
    shown = asyncio.run(shown_by_connector(Authority(), home, file))
    assert shown == "acme: Grünes Boot 7\t "
    logged_on = httpx.post(
        f"{running.url}/api/sessionMngr/?as=tenant",
        auth=("acme", shown.removeprefix("acme:")),
        verify=running.context,
    )
    assert logged_on.status_code == 201, logged_on.text


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\n", "is empty"),
        (b" \t\r\n", "is empty"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_without_a_password_is_refused_by_all_alike(
    cloudgate: Run, home: Path, content: bytes | None, complaint: str
) -> None:
    file = home / "acme.password"
    if content is not None:
        file.write_bytes(content)
    (home / "both.pfx").write_bytes(b"\x30\x82")
    for words in (
        ("tenant", "create", "acme"),
        ("connect", "localhost", "--tenant", "acme", "-W", "vault.example:443"),
        ("certificate", "import", str(home / "both.pfx")),
    ):
        arguments = (*words, "--password-file", str(file))
        refused = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert refused.exit_code == 1, words
        assert f"password file {file}" in refused.stderr.replace("\n", " ")
        assert complaint in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    with pytest.raises(InvalidRequestError, match=complaint):
        outgoing_of(OutgoingOptions(smtp="smtp://acme@localhost", smtp_password_file=file))

"""A provider's storage that can be measured: real WebDAV servers, and a real S3 server."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx2
import pytest
from wsgidav.fs_dav_provider import FilesystemProvider, FolderResource
from wsgidav.wsgidav_app import WsgiDAVApp

from tests.support.ports import free_port
from tests.support.running.product import accepts
from tests.support.serving import answering
from tests.support.waiting import PATIENCE_SECONDS, until

USER, PASSWORD = "probe", "secret/+key"
needs_rclone = pytest.mark.skipif(
    shutil.which("rclone") is None, reason="needs the Debian package rclone"
)
Middleware = Callable[[Any, Any], Any]


@contextmanager
def rclone_webdav(folder: Path, *more: str) -> Iterator[str]:
    """Root of a WebDAV server that knows no quotas, and lists whole trees at once."""
    with _rclone("webdav", free_port(), folder, *more) as url:
        yield url


@contextmanager
def rclone_restic(folder: Path, port: int, *more: str) -> Iterator[str]:
    """Root of a server of restic's REST protocol, on that port."""
    with _rclone("restic", port, folder, *more) as url:
        yield url


@contextmanager
def _rclone(protocol: str, port: int, folder: Path, *more: str) -> Iterator[str]:
    command = ["rclone", "serve", protocol, "--addr", f"127.0.0.1:{port}"]
    command += ["--user", USER, "--pass", PASSWORD, "--config", os.devnull, *more, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: accepts(port) or process.poll() is not None)
        assert process.poll() is None
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


class _OwnFolder(FolderResource):  # type: ignore[misc]  # the library has no types
    """A folder that knows what it holds; the library's own tells what the whole disk holds."""

    def get_used_bytes(self) -> int:
        return sum(each.stat().st_size for each in Path(self._file_path).rglob("*"))


class _OwnFolders(FilesystemProvider):  # type: ignore[misc]
    def get_resource_inst(self, path: str, environ: dict[str, Any]) -> Any:
        found = super().get_resource_inst(path, environ)
        if isinstance(found, FolderResource):
            return _OwnFolder(path, environ, found._file_path)
        return found


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as the library has it
        pass


class DavServer:
    """A WebDAV server that tells what is used, and remembers how it was asked."""

    def __init__(self, folder: Path, *, own_figures: bool, deep: bool = True) -> None:
        """Without `own_figures` they are those of the disk. Not `deep`: one folder at a time."""
        self._deep = deep
        self.depths: list[str] = []
        provider = (_OwnFolders if own_figures else FilesystemProvider)(str(folder))
        self._app = WsgiDAVApp(
            {
                "provider_mapping": {"/": provider},
                "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
                "http_authenticator": {"accept_digest": False, "default_to_digest": False},
                "verbose": 0,
                "logging": {"enable": False},
            }
        )

    def __call__(self, environ: Any, start_response: Any) -> Any:
        depth = environ.get("HTTP_DEPTH", "")
        if "HTTP_AUTHORIZATION" in environ:
            self.depths.append(depth)
        if depth == "infinity" and not self._deep:
            # As mod_dav of Apache does unless it is told otherwise (RFC 4918, 9.1).
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [b'<error xmlns="DAV:"><propfind-finite-depth/></error>']
        return self._app(environ, start_response)


@contextmanager
def serving(application: Middleware) -> Iterator[str]:
    """Root of a server of that WSGI application."""

    def heard_out(environ: Any, start_response: Any) -> Any:
        # What is left unread when the connection is closed would reset it, answer and all.
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        return application({**environ, "wsgi.input": io.BytesIO(body)}, start_response)

    server = make_server("127.0.0.1", 0, heard_out, server_class=WSGIServer, handler_class=_Quiet)
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}"


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Root of a SeaweedFS that lets `USER` do everything."""
    folder.mkdir()
    settings = folder / "s3.json"
    credentials = [{"accessKey": USER, "secretKey": PASSWORD}]
    identity = {"name": USER, "credentials": credentials, "actions": ["Admin"]}
    settings.write_text(json.dumps({"identities": [identity]}))
    master, volume, filer, s3 = (_low_port() for _ in range(4))
    command = [str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder}"]
    command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}"]
    command += [f"-volume.port={volume}", "-filer", f"-filer.port={filer}", "-s3"]
    command += [f"-s3.port={s3}", f"-s3.config={settings}", "-master.volumeSizeLimitMB=64"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    log_file = folder / "weed.log"
    with log_file.open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{s3}"
    try:
        until(lambda: _answers(url) or process.poll() is not None)
        assert process.poll() is None, log_file.read_text()[-3000:]
        yield url
    finally:
        process.kill()
        process.wait(20)


def _low_port() -> int:
    """A free port whose neighbour 10000 above, where SeaweedFS has its gRPC, is one, too."""
    while True:
        port = free_port()
        port = port if port < 50000 else port - 15000
        if not accepts(port) and not accepts(port + 10000):
            return port


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False, timeout=PATIENCE_SECONDS).status_code == 403
    except httpx2.TransportError:
        return False


def lock_objects(url: str, bucket: str, rule: str | None) -> None:
    """Make a bucket whose objects are locked by that rule, in XML; with None, one without locks."""
    locked = ("--header", "x-amz-bucket-object-lock-enabled: true") if rule is not None else ()
    _as_user(f"{url}/{bucket}", *locked)
    if rule:
        said = f"<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>{rule}</Rule>"
        body = f"<ObjectLockConfiguration>{said}</ObjectLockConfiguration>"
        _as_user(f"{url}/{bucket}?object-lock=", "--data", body)


def _as_user(url: str, *words: str) -> None:
    """PUT with curl, which signs it."""
    signed = ("--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{USER}:{PASSWORD}")
    unsigned_body = ("--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
    command = ["curl", "--silent", "--show-error", "--fail", "--request", "PUT", *signed]
    subprocess.run([*command, *unsigned_body, *words, url], check=True, timeout=60)


def store_objects(folder: Path, url: str, bucket: str) -> None:
    """Copy a folder into a bucket, as a tenant's program would."""
    remote = (
        f":s3,provider=Other,access_key_id={USER},secret_access_key='{PASSWORD}',"
        f"endpoint='{url}',force_path_style=true:{bucket}"
    )
    environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    subprocess.run(
        ["rclone", "copy", "--transfers", "16", "--config", os.devnull, str(folder), remote],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )

"""Proxies: which others are compared with the gateway? Each as its manual has it."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.testbed.accounting import children, cpu_seconds, memory_kib
from bench.testbed.machine import PROXY_CORES, most_tunnels, pinned, program
from bench.testbed.tunnels import PATIENCE_SECONDS, Way
from tests.support.ports import free_port
from tests.support.running.product import accepts

GATEWAY = "Cloudgate"
GATEWAY_BY_HTTP = "Cloudgate, by HTTP alone"
HAPROXY = "HAProxy"
HAPROXY_LARGE = "HAProxy, 128 KiB buffers"
NGINX = "nginx stream"
STUNNEL = "stunnel"

_STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs: how to get through it, and whose work is its."""

    name: str
    way: Way
    pids: tuple[int, ...]
    authorizer_pids: tuple[int, ...] = ()

    def cpu_seconds(self) -> float:
        """CPU time that the proxy has used, without the authorizer."""
        return cpu_seconds(self.pids)

    def authorizer_cpu_seconds(self) -> float:
        """CPU time that the authorizer has used."""
        return cpu_seconds(self.authorizer_pids)

    def memory_kib(self) -> int:
        """Memory of the proxy and its authorizer."""
        return memory_kib((*self.pids, *self.authorizer_pids))


@dataclass(frozen=True)
class Material:
    """What each of them is set up with."""

    folder: Path
    certificate: Path
    """The chain and its key in one file."""
    repository_port: int
    ciphersuite: str
    """The one of TLS 1.3 that the gateway chooses, for all: ciphers are not compared here."""
    listen: str = "127.0.0.1"


@contextmanager
def haproxy(material: Material, buffer_bytes: int | None = None) -> Iterator[Proxy]:
    """HAProxy with its defaults, or with larger buffers."""
    port = free_port()
    file = material.folder / f"haproxy-{port}.cfg"
    file.write_text(f"""\
global
    nbthread 1
    maxconn {most_tunnels()}
    {f"tune.bufsize {buffer_bytes}" if buffer_bytes else ""}
    ssl-default-bind-ciphersuites {material.ciphersuite}
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen relay
    bind {material.listen}:{port} ssl crt {material.certificate}
    server repository 127.0.0.1:{material.repository_port}
""")
    name = HAPROXY_LARGE if buffer_bytes else HAPROXY
    with _started(material, ["haproxy", "-db", "-f", str(file)], port) as pid:
        yield Proxy(name, Way(port), (pid,))


@contextmanager
def nginx(material: Material) -> Iterator[Proxy]:
    """One worker of nginx with its stream module."""
    port, folder = free_port(), material.folder
    file = folder / "nginx.conf"
    module = f"load_module {_STREAM_MODULE};" if _STREAM_MODULE.exists() else ""
    file.write_text(f"""\
{module}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 32000; }}
stream {{
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {material.certificate};
        ssl_certificate_key {material.certificate};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_conf_command Ciphersuites {material.ciphersuite};
        proxy_pass 127.0.0.1:{material.repository_port};
        proxy_timeout 1h;
    }}
}}
""")
    command = ["nginx", "-p", str(folder), "-e", str(folder / "nginx.log"), "-c", str(file)]
    with _started(material, command, port) as pid:
        yield Proxy(NGINX, Way(port), (pid, *children(pid)))


@contextmanager
def stunnel(material: Material) -> Iterator[Proxy]:
    """Stunnel: a thread for each connection."""
    port = free_port()
    file = material.folder / "stunnel.conf"
    file.write_text(f"""\
foreground = yes
pid =
syslog = no
debug = err
[relay]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{material.repository_port}
cert = {material.certificate}
ciphersuites = {material.ciphersuite}
""")
    with _started(material, ["stunnel4", str(file)], port) as pid:
        yield Proxy(STUNNEL, Way(port), (pid,))


@contextmanager
def _started(material: Material, command: Sequence[str], port: int) -> Iterator[int]:
    path = program(command[0])
    if path is None:
        raise FileNotFoundError(f"{command[0]} is not installed.")
    log_file = material.folder / f"{command[0]}.out"
    with log_file.open("wb") as log, pinned(PROXY_CORES):
        process = subprocess.Popen(
            [path, *command[1:]], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not accepts(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not start: {log_file.read_text()}")
            time.sleep(0.02)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

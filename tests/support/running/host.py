"""A managed server whose host service does what the test says, over the real protocol."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloudgate import __version__
from cloudgate.manager.host_protocol.enrolment import preregister
from cloudgate.manager.servers.backup_servers import list_backup_servers
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.manager.servers.tenant_scope import NO_POOL
from cloudgate.protocol import (
    Answer,
    Assignment,
    GatewayState,
    HostFacts,
    JoinAnswer,
    JoinRequest,
    LiveTunnel,
    PollRequest,
    Question,
    Report,
    Site,
    Update,
)
from tests.support.running.manager import RunningManager, finished


def public_key_pem() -> str:
    """The public half of a new key pair."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def gateway_scope() -> dict[str, Any]:
    """What a host may know whose gateway has been in no pool from the beginning."""
    gateway_id, pool_id = str(uuid4()), str(NO_POOL)
    return {
        "gateway": gateway_id,
        "serves": True,
        "pool": pool_id,
        "revision": 0,
        "periods": [[gateway_id, pool_id, 0, None]],
    }


def _tell(running: RunningManager, server_id: UUID) -> None:
    """Let a host know all tenants that may use gateways in no pool."""
    with running.manager.changing() as work:
        get_managed_server(work, server_id).scope = gateway_scope()


class ScriptedHost:
    """A host that has joined. It polls and reports when the test says so."""

    def __init__(
        self,
        running: RunningManager,
        name: str = "gw1.example",
        addresses: tuple[str, ...] = ("192.0.2.10", "127.0.0.1"),
        *,
        local: bool = False,
        is_told: bool = True,
    ) -> None:
        """`is_told`: of tenants, as if it were a gateway, though no change waits for it."""
        self.name = name
        self.facts = HostFacts(
            host_name=name,
            addresses=addresses,
            platform="Linux",
            version=__version__,
            envoy_version="1.40.0",
            public_key_pem=public_key_pem(),
        )
        with running.manager.changing() as work:
            site = list_backup_servers(work)[0]
            _, self.token = preregister(work, site, name, local=local)
        self.client = httpx2.Client(
            base_url=f"{running.url}/host/v1", verify=running.context, timeout=60
        )
        self.joined: JoinAnswer = self.join(self.token)
        self.client.headers["Authorization"] = f"Bearer {self.joined.credential}"
        if is_told:
            _tell(running, self.server_id)
        self.assignment: Assignment | None = None
        self.directory_revision = 0
        self.site_revision = 0
        self.credentials: list[str] = []
        """Those of before, oldest first."""
        self.update = Update()
        self.tunnels: tuple[LiveTunnel, ...] = ()
        """What it says when it is asked for its live tunnels."""

    @property
    def server_id(self) -> UUID:
        """The managed server that this is."""
        return self.joined.server_id

    def join(self, token: str) -> JoinAnswer:
        """Join with a token."""
        request = JoinRequest(token=token, facts=self.facts)
        answer = self.client.post("/join", content=request.model_dump_json()).raise_for_status()
        return JoinAnswer.model_validate_json(answer.content)

    def poll(self) -> Update:
        """Wait for news about this host or its tenants, and take them in."""
        while True:
            update = self._poll()
            if update.question is not None:
                self._answer(update.question)
                continue
            if update.site is None or update.assignment or update.directory or update.credential:
                return update

    def poll_request(self) -> PollRequest:
        """What it has: the body of its next poll."""
        return PollRequest(
            assignment_revision=self.assignment.revision if self.assignment else None,
            directory_revision=self.directory_revision,
            site_revision=self.site_revision,
            machine=self.facts.machine,
        )

    def _poll(self) -> Update:
        credential = self.client.headers["Authorization"].removeprefix("Bearer ")
        request = self.poll_request()
        answer = self.client.post("/poll", content=request.model_dump_json()).raise_for_status()
        self.update = Update.model_validate_json(answer.content)
        if self.update.assignment is not None:
            self.assignment = self.update.assignment
        if self.update.directory is not None:
            self.directory_revision = self.update.directory.revision
        if self.update.credential is not None:
            self.credentials.append(credential)
            self.client.headers["Authorization"] = f"Bearer {self.update.credential}"
        if self.update.site is not None:
            self.site_revision = self.update.site.revision
        return self.update

    def hear_site(self) -> Site:
        """Wait for news about the site."""
        while True:
            site = self._poll().site
            if site is not None:
                return site

    def _answer(self, question: Question) -> None:
        ended = tuple(each.tunnel for each in self.tunnels if each.tunnel in question.end_tunnels)
        answer = Answer(
            machine=self.facts.machine,
            question=question.question,
            tunnels=self.tunnels,
            ended=ended,
        )
        self.client.post("/answer", content=answer.model_dump_json()).raise_for_status()

    def report(
        self,
        state: GatewayState = GatewayState.LISTENING,
        reason: str = "",
        *,
        revision: int | None = None,
        **more: Any,
    ) -> httpx2.Response:
        """Say how far this host has come."""
        current = self.assignment.revision if self.assignment else 0
        report = Report(
            assignment_revision=current if revision is None else revision,
            directory_revision=self.directory_revision,
            state=state,
            reason=reason,
            machine=self.facts.machine,
            **more,
        )
        return self.client.post("/report", content=report.model_dump_json())

    def obey(self, state: GatewayState = GatewayState.LISTENING, reason: str = "") -> None:
        """Take in what is wanted, and report."""
        self.poll()
        self.report(state, reason).raise_for_status()

    def close(self) -> None:
        """Hang up."""
        self.client.close()


@contextmanager
def obedient(host: ScriptedHost) -> Iterator[None]:
    """Does what the manager wants, so that tasks end, and hangs up."""

    def obey(stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                host.obey()
            except httpx2.HTTPError:
                stopping.wait(0.1)

    with _meanwhile(host, obey):
        yield


@contextmanager
def polling(host: ScriptedHost) -> Iterator[threading.Thread]:
    """It waits for news meanwhile, and hangs up; the thread that waits."""
    with _meanwhile(host, lambda _: host.poll()) as thread:
        yield thread


@contextmanager
def _meanwhile(
    host: ScriptedHost, work: Callable[[threading.Event], object]
) -> Iterator[threading.Thread]:
    """A thread in which a host works until it is hung up on, and no longer."""
    stopping = threading.Event()

    def run() -> None:
        try:
            work(stopping)
        except (httpx2.HTTPError, RuntimeError):  # hung up on; what a closed client says
            if not stopping.is_set():
                raise

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        stopping.set()
        host.close()  # and the thread ends by itself, at the latest when its poll is over


def become_gateway(client: httpx2.Client, host: ScriptedHost, **spec: Any) -> dict[str, Any]:
    """Have a host be a gateway that listens: the task about it, which has ended well."""
    body = {"ServerHostName": host.name, "NetworkType": "Direct", **spec}
    task = client.post("/cloud/gateways", json=body).raise_for_status().json()
    host.obey()
    done = finished(client, task)
    assert done["Result"]["Success"], done
    return done

"""How does a test have a tenant's own certificate kept? By a keeper with a clock of the test's."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cloudgate.connector.own_certificate import CertificateKeeper, read_certificate
from cloudgate.connector.tls_connection import identity
from cloudgate.connector.tunnel import fetch_discovery_document
from cloudgate.network.hostport import HostPort
from tests.support.waiting import until_async


class KeptCertificate:
    """A file with a certificate, and its keeper."""

    def __init__(
        self,
        file: Path,
        name: str,
        ca_file: Path,
        gateways: Sequence[HostPort],
        password: str | None,
    ) -> None:
        self.file = file
        self.who = identity(name, "", ca_file, None)
        self.gateways = gateways
        self.password = password
        self.ahead = timedelta()
        self.clock_was_read = 0
        """How often the keeper asked for the time."""
        self.keeper = CertificateKeeper(
            self.file,
            self.who,
            lambda: self.gateways,
            password=lambda: self.password,
            now=self._now,
        )

    @property
    def key(self) -> str:
        """As it is in the file."""
        held = read_certificate(self.file)
        assert held is not None
        return held.key_pem

    async def discovers(self) -> dict[str, Any]:
        """What a gateway says to who shows it."""
        return await fetch_discovery_document(self.gateways[-1], self.who)

    async def changed(self, before: str) -> None:
        """Wait until another certificate is in the file."""
        await until_async(lambda: self.file.read_text() != before)

    def _now(self) -> datetime:
        self.clock_was_read += 1
        return datetime.now(UTC) + self.ahead

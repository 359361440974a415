"""Service passwords: by which is the service of a repository looked at, and how is one kept?

Under a seal that is good for one repository and one purpose. It goes nowhere but where it went when
it was given: whoever names another place gives it again.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import Repository
from cloudgate.manager.storage_services.rules import StorageService, opened_by_password
from cloudgate.network import hostport


@dataclass(frozen=True)
class ServicePassword:
    """What is kept for one purpose, of each repository."""

    purpose: str
    """Part of the seal: another one opens nothing that was kept before."""
    column: str

    def open(self, work: UnitOfWork, repository: Repository) -> str:
        """It; empty for none.

        Raises:
            CloudgateError: it was sealed with another key.
        """
        sealed: str = getattr(repository, self.column)
        return work.sealing.open(sealed, self._owner(repository)) if sealed else ""

    def keep(self, work: UnitOfWork, repository: Repository, password: str) -> None:
        """Have it from now on; empty for none."""
        sealed = work.sealing.seal(password, self._owner(repository)) if password else ""
        setattr(repository, self.column, sealed)

    def known(
        self,
        work: UnitOfWork,
        repository: Repository,
        before: StorageService | None,
        wanted: StorageService,
    ) -> str:
        """The one that is kept, if it goes to where it went before; else empty."""
        if before is None or opened_by_password(before) != opened_by_password(wanted):
            return ""
        return self.open(work, repository)

    def _owner(self, repository: Repository) -> str:
        return f"{self.purpose} {repository.id}"


def check_may_be_named(work: UnitOfWork, url: str) -> None:
    """See whether who is asking may have the manager look at a Url.

    Raises:
        CloudgateError: it is inside of the provider's own network, and nobody's to name.
    """
    host = hostport.host_known_as(urlsplit(url).hostname or "")
    work.reachable.check_host(host, "Url", administers=work.administers)

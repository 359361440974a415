"""Quotas: how much may a tenant store, and where? What the API calls a tenant's resources."""

from collections.abc import Sequence

import typer

from cloudgate.cli.commands import Call
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at
from cloudgate.cli.resources.infrastructure import repositories
from cloudgate.client.core.kinds import Json
from cloudgate.errors import NotFoundError
from cloudgate.values.numbers import whole
from cloudgate.values.units import MB_PER_GB

DEFAULT_GB = 100
_MOST_GB = 10**15
QuotaGb = typer.Option(
    min=1, metavar="N", help="Quota on the repository, in GB.", show_default="100"
)


def of_options(words: Sequence[str], sizes: Sequence[int]) -> list[tuple[str, int]]:
    """The repositories that options name, each with its quota in GB.

    ``NAME=GB`` carries its own; the others get one size each, or all the same, or the default.
    """
    split = [_split(word) for word in words]
    without = sum(size is None for _, size in split)
    if len(sizes) == without:
        rest = list(sizes)
    elif without and len(sizes) <= 1:
        rest = [*sizes, DEFAULT_GB][:1] * without
    else:
        raise typer.BadParameter("Give --quota-gb once for each --repository, or once for all.")
    return [(name, rest.pop(0) if size is None else size) for name, size in split]


def _split(word: str) -> tuple[str, int | None]:
    name, _, size = word.rpartition("=")
    gigabytes = whole(size, 0, _MOST_GB)
    return (name, gigabytes) if name and gigabytes is not None else (word, None)


def spec(call: Call, repository: str, gigabytes: int, site: str | None, name: str = "") -> Json:
    """A new quota as the API wants it; called like its repository unless a name is given."""
    try:
        found = find(call.api, repositories.KIND, repository, site)
    except NotFoundError as problem:
        if "=" not in repository:
            raise
        raise NotFoundError(
            f"{problem} A quota is a whole number of GB, as in vault=100."
        ) from None
    called = name or str(call.api.get(found.entity).body["Name"])
    return {"Name": called, "RepositoryUid": found.uid, "QuotaMb": gigabytes * MB_PER_GB}


def size_of(resource: Json) -> str:
    """The size of a quota, for people."""
    return at("RepositoryQuota", "Quota")(resource)


COLUMNS: Columns = {
    "DisplayName": at("RepositoryQuota", "DisplayName"),
    "Quota": size_of,
    "Used": at("RepositoryQuota", "UsedQuota"),
    "Measured": at("RepositoryQuota", "UsedQuotaTime"),
    "Warning": at("RepositoryQuota", "Warning"),
    "RepositoryUid": at("RepositoryQuota", "RepositoryUid"),
    "Id": at("Id"),
}


def in_short(tenant: Json) -> str:
    """A column of tenants: their quotas."""
    resources = (tenant.get("Resources") or {}).get("CloudTenantResources") or ()
    name = COLUMNS["DisplayName"]
    return ", ".join(f"{name(resource)} {size_of(resource)}" for resource in resources)

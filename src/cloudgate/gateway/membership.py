"""Who is this host to the manager? What joining left behind, in private files."""

from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from cloudgate.errors import NotFoundError
from cloudgate.gateway.files import read_if_there, write_private
from cloudgate.gateway.layout import Layout


class _Place(BaseModel):
    model_config = ConfigDict(frozen=True)

    url: str
    server_id: UUID


class Membership(_Place):
    """Where the manager is, how to know it, and how to prove who this host is."""

    credential: str
    ca_pem: str

    def __repr__(self) -> str:
        return f"Membership(url={self.url!r}, server_id={self.server_id})"

    def __str__(self) -> str:
        return repr(self)


def save_membership(layout: Layout, membership: Membership) -> None:
    """Keep it; the place last, because a membership without its credential is none."""
    write_private(layout.manager_ca, membership.ca_pem)
    write_private(layout.credential, membership.credential)
    place = _Place(url=membership.url, server_id=membership.server_id)
    write_private(layout.membership, place.model_dump_json())


def keep_credential(layout: Layout, credential: str) -> None:
    """Prove who this host is with `credential` from now on."""
    write_private(layout.credential, credential)


def load_membership(layout: Layout) -> Membership:
    """What was kept.

    Raises:
        NotFoundError: This host has not joined, or its files are damaged.
    """
    try:
        place = _Place.model_validate_json(_need(layout.membership))
    except ValidationError:
        raise NotFoundError(f"{layout.membership} is damaged. Join the host again.") from None
    return Membership(
        **place.model_dump(),
        credential=_need(layout.credential).strip(),
        ca_pem=_need(layout.manager_ca),
    )


def _need(path: Path) -> str:
    text = read_if_there(path)
    if not text:
        raise NotFoundError(
            f"This host has not joined: {path} is missing. Run `cloudgate host join` first."
        )
    return text

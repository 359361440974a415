"""Lookup: which thing does a word on the command line mean? Whichever the client finds."""

from typing import TYPE_CHECKING

from cloudgate.client.core import lookup
from cloudgate.client.core.kinds import Kind
from cloudgate.client.core.lookup import EntityReference

if TYPE_CHECKING:
    from cloudgate.client.api import Api


def find(api: "Api", kind: Kind, word: str, site: str | None = None) -> EntityReference:
    """The one thing that is meant; see `cloudgate.client.core.lookup.find`."""
    return api.run(lookup.find(api.talk, kind, word, site))

"""Client: how does a program ask a manager? The REST API, typed, for code that waits or awaits.

What its users import is in `surface`, and imported from here. The types of other bodies and answers
are in `cloudgate.wire.resources`. docs/sdk.md shows how it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudgate.client.surface import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """Load the surface when something of it is asked for: commands start without it."""
    if not name[:1].isupper():  # a module of this package
        raise AttributeError(name)
    try:
        return getattr(import_module("cloudgate.client.surface"), name)
    except AttributeError:
        raise AttributeError(f"cloudgate.client has no {name}.") from None

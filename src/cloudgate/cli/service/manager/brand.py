"""Brand: what do the options of the portal's name, logo and colours come to?"""

from dataclasses import replace

from cloudgate.cli.service.manager.options import PortalOptions
from cloudgate.console import brand
from cloudgate.errors import CloudgateError
from cloudgate.monitoring.endpoint import OFF


def brand_of(said: PortalOptions) -> brand.Brand:
    """What tenants see.

    Raises:
        CloudgateError: it cannot be shown.
    """
    for option, word in (("--portal", said.portal), ("--console-brand", said.console_brand)):
        if word.lower() not in ("on", OFF):
            raise CloudgateError(f"{option} {word!r} is neither on nor off.")
    shown = brand.brand_of(
        said.portal_name, said.portal_logo, said.portal_color, said.portal_dark_color
    )
    return replace(shown, is_for_console=said.console_brand.lower() != OFF)

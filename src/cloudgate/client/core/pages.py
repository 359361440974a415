"""Pages: where does an answer go on that comes in several? Pure."""

from cloudgate.client.core.addresses import below_root
from cloudgate.client.core.kinds import Json


def following(body: Json) -> str:
    """The path of the page that follows one; empty after the last."""
    links = (body.get("PagingInfo") or {}).get("Links") or ()
    return next((below_root(str(link["Href"])) for link in links if link.get("Rel") == "Next"), "")

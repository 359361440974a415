"""Forms: what has a browser sent, and did it come by a way that a password may go?"""

from urllib.parse import parse_qs

from starlette.requests import Request

from cloudgate.console.api import Api, Json

LIMIT_BYTES = 512 * 1024
STRANGERS_LIMIT_BYTES = 8 * 1024
_MOST_FIELDS = 2000
Form = dict[str, list[str]]


async def read_form(request: Request, limit_bytes: int) -> Form | None:
    """The fields of a form, each of which may come several times; None when it is too large.

    Raises:
        ClientDisconnect: whoever sends it has hung up.
    """
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > limit_bytes:
            return None
    text = content.decode("utf-8", "replace")
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:  # more fields than that
        return None


async def came_over_tls(api: Api) -> bool:
    """Whether the browser came over HTTPS, as far as the API believes what proxies say."""
    return _own_address(await api.get("/")).startswith("https:")


def _own_address(root: Json) -> str:
    links = root.get("Links") or [{}]
    return str(root.get("Href") or links[0].get("Href") or "")

"""API description: how does a client learn what calls there are?"""

import json
from collections.abc import Callable
from functools import cache, lru_cache
from urllib.parse import urlsplit

from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import Route
from cloudgate.api.openapi.document import document
from cloudgate.api.openapi.page import page
from cloudgate.console.browser import HEADERS

_PREFIXES = 4
"""Of proxies, for which the page is kept."""


class Description:
    """Describes the calls of a list, which may still grow until the first request."""

    def __init__(self, routes: list[Route]) -> None:
        self._document = cache(lambda: document(routes))
        self._openapi: Callable[[], bytes] = cache(
            lambda: json.dumps(self._document(), ensure_ascii=False).encode()
        )
        self._page: Callable[[str], bytes] = lru_cache(_PREFIXES)(
            lambda prefix: self._shown(prefix, "").encode()
        )

    def get_openapi(self, _call: Call) -> Answer:
        """The description of the JSON side as OpenAPI 3.1; needs no session."""
        return Answer(document=self._openapi(), media_type="application/json")

    def get_docs(self, call: Call) -> Answer:
        """The same for people, as a page like the console's; needs no session."""
        prefix = urlsplit(call.root).path.removesuffix("/api")
        search = call.query.get("search", "").strip()
        shown = self._shown(prefix, search).encode() if search else self._page(prefix)
        return Answer(document=shown, media_type="text/html; charset=utf-8", headers=HEADERS)

    def _shown(self, prefix: str, search: str) -> str:
        """`prefix` is where a proxy has put the manager; empty where none has."""
        return page(self._document(), f"{prefix}/console/", f"{prefix}/api/docs", search)

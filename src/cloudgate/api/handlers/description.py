"""API description: how does a client learn what calls there are?"""

import json
from collections.abc import Callable
from functools import cache

from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import Route
from cloudgate.api.openapi.document import document
from cloudgate.api.openapi.page import CONTENT_SECURITY_POLICY, page


class Description:
    """Describes the calls of a list, which may still grow until the first request."""

    def __init__(self, routes: list[Route]) -> None:
        self._document = cache(lambda: document(routes))
        self._openapi: Callable[[], bytes] = cache(
            lambda: json.dumps(self._document(), ensure_ascii=False).encode()
        )
        self._page: Callable[[], bytes] = cache(lambda: page(self._document()).encode())

    def get_openapi(self, _call: Call) -> Answer:
        """The description of the JSON side as OpenAPI 3.1; needs no session."""
        return Answer(document=self._openapi(), media_type="application/json")

    def get_docs(self, _call: Call) -> Answer:
        """The same for people, as a page that needs nothing else; needs no session."""
        return Answer(
            document=self._page(),
            media_type="text/html; charset=utf-8",
            headers={
                "Content-Security-Policy": CONTENT_SECURITY_POLICY,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
            },
        )

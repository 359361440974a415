"""Request meter: which routes are asked for, how long do answers take, and what are they?

What strangers make up is in no label: a path without a route is ``other``, and so is a method.
"""

import time
from types import TracebackType
from typing import Self

from starlette.requests import Request

from cloudgate.monitoring.recorder import Recorder

OTHER = "other"
ABORTED = "aborted"
"""In place of a status: who asked has hung up before there was an answer."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
_ROUTE = "metered_route"
_COUNT, _TIME = "cloudgate_api_requests_total", "cloudgate_api_request_seconds"


def note_route(request: Request, route: str) -> None:
    """A request means this route."""
    setattr(request.state, _ROUTE, route)


def note_at_once(recorder: Recorder, route: str, status: int, took_seconds: float) -> None:
    """A GET was answered in one go, so that nobody could see it in progress."""
    recorder.add(_COUNT, 1, "GET", route, str(status))
    recorder.observe(_TIME, took_seconds, "GET", route)


class RequestMeter:
    """Measures one request, from its arrival to its answer."""

    def __init__(self, recorder: Recorder, request: Request) -> None:
        self._recorder = recorder
        self._request = request
        self._began = 0.0
        self.status: int | None = None
        """Of the answer; None as long as there is none."""

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        self._recorder.add("cloudgate_api_requests_in_progress", 1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        took_seconds = time.perf_counter() - self._began
        self._recorder.add("cloudgate_api_requests_in_progress", -1)
        verb = self._request.method
        method = verb if verb in _METHODS else OTHER
        route = str(getattr(self._request.state, _ROUTE, OTHER))
        code = ABORTED if self.status is None else str(self.status)
        self._recorder.add(_COUNT, 1, method, route, code)
        self._recorder.observe(_TIME, took_seconds, method, route)

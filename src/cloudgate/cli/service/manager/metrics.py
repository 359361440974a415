"""Metrics: what do the options of where they are shown, and to whom, come to?"""

import socket
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import structlog

from cloudgate.api.metrics_tokens import MetricsTokens
from cloudgate.errors import CloudgateError
from cloudgate.monitoring.endpoint import DEFAULT_LISTEN, OFF, listen

log = structlog.get_logger(__name__)


def metrics_tokens_of(file: Path | None) -> MetricsTokens | None:
    """Who may ask at the port of the API, besides those who log on."""
    return MetricsTokens(file) if file is not None else None


def metrics_listener_of(where: str | None) -> AbstractContextManager[socket.socket | None]:
    """Where figures are shown.

    Raises:
        CloudgateError: they cannot be shown where they are wanted. Where nobody said where, it is
            no reason not to start: another manager on this machine has that address.
    """
    if where == OFF:
        return nullcontext()
    if where is not None:
        return listen(where)
    try:
        return listen(DEFAULT_LISTEN)
    except CloudgateError as problem:
        log.warning("metrics are shown nowhere", reason=problem.message)
        return nullcontext()

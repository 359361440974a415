"""Metrics of a host: what does its own page show? What it reports to its manager, and its jobs."""

import socket
import time
from functools import partial

from cloudgate.background import Background
from cloudgate.host.monitoring.figures import HostFigures
from cloudgate.monitoring.exposition import Lines
from cloudgate.monitoring.gateway_lines import begun_at, write_figures
from cloudgate.monitoring.health import Health
from cloudgate.monitoring.process_page import page
from cloudgate.protocol import Figures


class HostMetrics:
    """Its page of metrics."""

    def __init__(self, figures: HostFigures, background: Background, health: Health) -> None:
        self._figures = figures
        self._background = background
        self._health = health
        self._began_at: float | None = None

    async def document(self, accept: str) -> tuple[list[bytes], str]:
        """The page, a piece for each metric, and its media type."""
        found = self._figures.now()
        self._began_at = begun_at(time.time(), found.uptime_seconds, self._began_at)
        write = partial(_write, figures=found, began_at=self._began_at)
        return await page(accept, self._health, self._background, write)


def _write(lines: Lines, figures: Figures, began_at: float) -> None:
    # The host knows of no site, and its gateway by its own name.
    write_figures(lines, figures, socket.gethostname(), "", began_at)

"""Metrics of a host: what does its own page show? What it reports to its manager, and its jobs."""

import socket

from cloudgate.background import Background
from cloudgate.host.monitoring.figures import HostFigures
from cloudgate.monitoring.exposition import Lines
from cloudgate.monitoring.gateway_lines import write_figures
from cloudgate.monitoring.health import Health
from cloudgate.monitoring.process_page import page
from cloudgate.protocol import Figures


class HostMetrics:
    """Its page of metrics."""

    def __init__(self, figures: HostFigures, background: Background, health: Health) -> None:
        self._figures = figures
        self._background = background
        self._health = health

    async def document(self, accept: str) -> tuple[bytes, str]:
        """The page, and its media type."""
        found = self._figures.now()
        return await page(
            accept, self._health, self._background, lambda lines: _write(lines, found)
        )


def _write(lines: Lines, found: Figures) -> None:
    # The host knows of no site, and its gateway by its own name.
    write_figures(lines, found, socket.gethostname(), "")

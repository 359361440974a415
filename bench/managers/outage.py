"""Outage: what is lost when the database's server stops for a while, while operators write?"""

import time
from dataclasses import dataclass

from bench.managers.deaths import writing
from tests.support.programs.postgres import Server
from tests.support.running.managers import PATIENCE_SECONDS, Managers
from tests.support.waiting import until

AWAY_SECONDS = 30.0
AROUND_SECONDS = 3.0
"""For which operators write before it."""


@dataclass(frozen=True)
class Outage:
    """What came of it."""

    asked: int
    accepted: int
    refused: int
    """Answered with 503."""
    lost: int
    again_seconds: float
    """From when the server answered again to the end of the next write that was accepted."""


def stop_while_writing(both: Managers, server: Server) -> Outage:
    """The server ends as in a crash, with operators at both managers, and is started again."""
    with writing(both, "away") as writers:
        time.sleep(AROUND_SECONDS)
        server.stop("immediate")
        time.sleep(AWAY_SECONDS)
        server.start()
        back = time.monotonic()
        until(lambda: writers.has_accepted_since(back), PATIENCE_SECONDS)
        again_seconds = time.monotonic() - back
    accepted = len(writers.accepted)
    return Outage(writers.asked, accepted, writers.refused, writers.lost(both), again_seconds)

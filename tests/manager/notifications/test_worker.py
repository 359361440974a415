"""How soon is it seen what somebody is to be told of?"""

from cloudgate.manager.notifications.worker import LOOK_SECONDS, LOOKING, NotificationWorker
from tests.support.running.manager import RunningManager

LONG_LOOK_SECONDS = 3.75
"""Of a processor, as docs/notifications.md has it."""


def test_what_is_so_is_seen_every_15_seconds_while_a_look_takes_less_than_a_quarter_of_that(
    running: RunningManager,
) -> None:
    (looking,) = (job for job in NotificationWorker(running.manager).jobs() if job.name == LOOKING)
    assert looking.interval_seconds == LOOK_SECONDS == 15
    assert LONG_LOOK_SECONDS / looking.largest_part <= LOOK_SECONDS

"""How soon is it seen what somebody is to be told of, and what does it take to tell many?"""

from typing import Any

from sqlalchemy import Engine, event, func, insert, select

from cloudgate.manager.notifications import outbox
from cloudgate.manager.notifications.worker import LOOK_SECONDS, LOOKING, NotificationWorker
from cloudgate.manager.storage.tables import NotificationDelivery, NotificationReceiver
from tests.support.running.manager import RunningManager
from tests.support.waiting import until

LONG_LOOK_SECONDS = 3.75
"""Of a processor, as docs/notifications.md has it."""


def test_what_is_so_is_seen_every_15_seconds_while_a_look_takes_less_than_a_quarter_of_that(
    running: RunningManager,
) -> None:
    (looking,) = (job for job in NotificationWorker(running.manager).jobs() if job.name == LOOKING)
    assert looking.interval_seconds == LOOK_SECONDS == 15
    assert LONG_LOOK_SECONDS / looking.largest_part <= LOOK_SECONDS


def test_what_each_is_to_be_told_is_read_once_however_many_others_wait(
    running: RunningManager,
) -> None:
    count, read = 40, [0]

    def note(*arguments: Any) -> None:
        statement = str(arguments[2])
        if statement.startswith("SELECT notification_deliveries.") and "LIMIT" in statement:
            read[0] += 1

    def tried() -> int:
        with running.manager.reading() as work:
            attempts = select(func.count()).where(NotificationDelivery.attempts > 0)
            return work.session.scalar(attempts) or 0

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with running.manager.changing() as work:
            told = {"kind": "Webhook", "address": "https://127.0.0.1:1/"}
            named = [{**told, "name": str(number)} for number in range(count)]
            work.session.execute(insert(NotificationReceiver), named)
            news = outbox.test_event("news", work.now)
            due = {"event": news, "at": work.now, "due_at": work.now}
            ids = work.session.scalars(select(NotificationReceiver.id)).all()
            rows = [{**due, "receiver_id": each} for each in ids]
            work.session.execute(insert(NotificationDelivery), rows)
            work.news_for.add(outbox.NEWS)
        until(lambda: tried() == count)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert count <= read[0] <= 2 * count

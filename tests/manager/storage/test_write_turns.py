"""Write turns: one writes at a time, in the order of asking, and nobody waits for ever."""

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.write_turns import WriteTurns, holds_turn
from tests.support.waiting import until

MANY = 30


def test_who_has_waited_longest_is_next() -> None:
    turns, order = WriteTurns(30.0), list[int]()

    def write(number: int) -> None:
        with turns.turn():
            order.append(number)

    with ExitStack() as first:
        first.enter_context(turns.turn())
        threads = [threading.Thread(target=write, args=(number,)) for number in range(MANY)]
        for number, thread in enumerate(threads, 1):
            thread.start()
            until(lambda at=number: turns.waiting == at)  # type: ignore[misc]
    for thread in threads:
        thread.join(30)
    assert order == list(range(MANY))


def test_who_has_waited_too_long_is_told_and_keeps_nobody_up() -> None:
    turns = WriteTurns(0.01)
    with turns.turn():
        with pytest.raises(OperationalError, match="database is locked"), turns.turn():
            pass
        assert turns.waiting == 0
    with turns.turn():
        pass


def test_who_holds_a_turn_is_known_and_nobody_else_does() -> None:
    turns, elsewhere = WriteTurns(30.0), list[bool]()
    assert not holds_turn()
    with turns.turn():
        assert holds_turn()
        other = threading.Thread(target=lambda: elsewhere.append(holds_turn()))
        other.start()
        other.join(30)
    assert elsewhere == [False]
    assert not holds_turn()


def test_a_turn_that_fails_is_over() -> None:
    turns = WriteTurns(30.0)
    with pytest.raises(ZeroDivisionError), turns.turn():
        raise ZeroDivisionError
    with turns.turn():
        pass


def test_many_who_write_to_a_file_at_once_all_come_to_it(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "cloudgate.db"))
    begin, problems = threading.Barrier(MANY), list[BaseException]()

    def count() -> None:
        begin.wait()
        try:
            for _ in range(10):
                with database.writing() as session, session.begin():
                    session.execute(
                        text(
                            "INSERT INTO counters (name, value) VALUES ('test', 1)"
                            " ON CONFLICT (name) DO UPDATE SET value = value + 1"
                        )
                    )
        except BaseException as problem:  # noqa: BLE001  it is looked at below
            problems.append(problem)

    threads = [threading.Thread(target=count) for _ in range(MANY)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    with database.reading() as session:
        found = session.scalar(text("SELECT value FROM counters WHERE name = 'test'"))
    database.close()
    assert (problems, found) == ([], MANY * 10)

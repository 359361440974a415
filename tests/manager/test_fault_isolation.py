"""Fault isolation: one of many that has a fault is left out, or replaced, and named in the log."""

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from cloudgate.manager.fault_isolation import each_alone


def inverse(number: int) -> float:
    return 1 / number


def test_one_of_which_nothing_can_be_made_keeps_nothing_from_the_others() -> None:
    failed: list[tuple[int, str]] = []
    succeeded: list[int] = []

    def note(number: int, name: str) -> None:
        failed.append((number, name))

    with capture_logs() as logs:
        found = list(each_alone([4, 0, 2], inverse, note, succeeded.append))
    assert found == [0.25, 0.5]
    assert succeeded == [4, 2]
    [(number, name)] = failed
    assert number == 0
    assert [each["fault"] for each in logs] == [name], "the operator finds it in the log"


def test_what_stands_in_the_place_of_one_with_a_fault_is_in_its_place() -> None:
    def instead(_number: int, _name: str) -> float:
        return -1.0

    assert list(each_alone([4, 0, 2], inverse, instead)) == [0.25, -1.0, 0.5]


def test_a_database_that_cannot_be_read_is_the_fault_of_none_of_them() -> None:
    def read(_number: int) -> float:
        raise OperationalError("SELECT", None, Exception("the disk fails"))

    def instead(_number: int, _name: str) -> float:
        raise AssertionError("No one of them is to be blamed.")

    with pytest.raises(OperationalError):
        list(each_alone([1], read, instead))

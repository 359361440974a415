"""Certificates that live for some hours: they are renewed, and tried to be, before they end."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.manager.certificates import orders, rules
from cloudgate.manager.certificates.orders import OrderRequest
from cloudgate.manager.certificates.warnings import endings
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.storage.tables import CertificateOrder
from tests.manager.backups.support import opened
from tests.support.certificates.brought import Made

REQUEST = OrderRequest(
    directory_url="https://acme.example/directory", names=("gate.example",), challenge="http-01"
)


class Clock:
    """The manager's."""

    def __init__(self) -> None:
        self.now = Made("gate.example", begun_days=0).leaf.not_valid_before_utc

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def manager(tmp_path: Path, clock: Clock) -> Iterator[Manager]:
    found = opened(tmp_path / "data", clock)
    yield found
    found.database.close()


def renewed(work: UnitOfWork, identifier: UUID, hours: float) -> datetime:
    """Have a certificate that was good from now on; when it ends."""
    made = Made("gate.example", days=hours / 24, begun_days=0)
    orders.succeed(work, identifier, rules.from_pem(made.pem))
    return made.leaf.not_valid_after_utc


def ordered(work: UnitOfWork) -> UUID:
    orders.order_certificate(work, REQUEST, "key")
    return work.session.query(CertificateOrder).one().id


@pytest.mark.parametrize("hours", [1, 8, 24, 30, 72, 24 * 90])
def test_a_certificate_is_asked_for_when_a_third_of_the_last_ones_life_is_left(
    manager: Manager, hours: float
) -> None:
    with manager.changing() as work:
        identifier = ordered(work)
        end = renewed(work, identifier, hours)
        due = orders.next_moment(work)
    assert due is not None
    assert (end - due) / timedelta(hours=hours) == pytest.approx(1 / 3, abs=0.04)


@pytest.mark.parametrize("hours", [1, 8, 24, 24 * 90])
def test_a_renewal_that_fails_is_tried_several_times_before_the_end_and_warned_of(
    manager: Manager, clock: Clock, hours: float
) -> None:
    with manager.changing() as work:
        identifier = ordered(work)
        end = renewed(work, identifier, hours)
    tries: list[datetime] = []
    while len(tries) < 100:
        with manager.changing() as work:
            clock.now = max(orders.next_moment(work) or end, clock.now)
        if clock.now >= end:
            break
        tries.append(clock.now)
        with manager.changing() as work:
            assert orders.next_due(work) == identifier
            orders.fail(work, identifier, "It is away.")
            (warning,) = endings(work)
            assert "expires at" in warning.text
            assert "Its renewal has failed: It is away." in warning.text
    assert len(tries) >= 4
    assert min(b - a for a, b in pairwise(tries)) >= orders.LEAST_PAUSE


def test_one_whose_life_is_mostly_over_is_not_asked_for_again_and_again(
    manager: Manager, clock: Clock
) -> None:
    with manager.changing() as work:
        identifier = ordered(work)
        made = Made("gate.example", days=90)
    clock.now = made.leaf.not_valid_after_utc - timedelta(hours=6)
    with manager.changing() as work:
        orders.succeed(work, identifier, rules.from_pem(made.pem))
        assert orders.next_moment(work) == clock.now + timedelta(hours=4)
        assert orders.next_due(work) is None

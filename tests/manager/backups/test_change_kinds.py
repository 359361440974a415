"""What does each event of the audit log do to a right that a restore brings back?"""

import itertools
import re
from collections.abc import Iterable

from cloudgate.manager.backups import change_kinds
from tests.manager.audit.events import EVENTS


def test_each_event_says_what_it_does_by_its_name_or_is_in_one_table() -> None:
    tables: tuple[Iterable[str], ...] = (
        change_kinds.REMOVED,
        change_kinds.EDITS,
        change_kinds.HARMLESS,
        change_kinds.NO_CHANGES,
    )
    for one, other in itertools.combinations(tables, 2):
        assert not set(one) & set(other)
    known = {each for table in tables for each in table}
    operations = {each.operation for each in EVENTS}
    assert operations > known
    assert operations > change_kinds.KEPT_WHEN_FAILED
    says_it = re.compile("Create|Add|Edit|Delete")
    unknown = {each for each in operations - known if not says_it.match(each)}
    assert unknown == set(), "name a new event in its table"


def test_events_that_sound_as_if_they_took_something_are_not_said_to_be_harmless() -> None:
    sounds = re.compile("Delete|Remove|Revoke|End|Unlink|Require|Disable|Reset")
    harmless = change_kinds.HARMLESS | change_kinds.NO_CHANGES
    suspicious = {each for each in harmless if sounds.match(each)}
    assert suspicious == {"DeleteCloudGatewayTunnel", "RemoveOldAuditEvents"}

"""Is each refusal that is counted one that the audit log can sum up?"""

import re
from pathlib import Path

import cloudgate.api
import cloudgate.manager
from cloudgate.manager.audit import refusals
from cloudgate.manager.audit.events import WARNING, Event
from cloudgate.manager.audit.refusals import (
    BY_OPERATION,
    LOG_ON,
    LOG_ON_TENANT,
    OBJECT_TYPES,
    OWN_CERTIFICATE,
    OWN_PASSWORD,
)

SOURCE = Path(cloudgate.__file__).parent


def test_all_refusals_that_are_counted_can_be_summed_up() -> None:
    counted = {
        found
        for file in SOURCE.rglob("*.py")
        for found in re.findall(r"strangers\.is_to_be_noted\(\s*([\w.]+)", file.read_text("utf-8"))
        if found != "event.operation"
    }
    named = {name: each for name, each in vars(refusals).items() if isinstance(each, Event)}
    assert set(named.values()) == set(OBJECT_TYPES)
    known = {f"{name}.operation" for name in named}
    assert counted
    assert counted <= known


def test_each_is_found_by_its_name_and_a_warning_unless_somebody_may_have_been_let_in() -> None:
    assert len(BY_OPERATION) == len(OBJECT_TYPES)
    assert all(each.operation == name for name, each in BY_OPERATION.items())
    of_who_was_let_in = {LOG_ON, LOG_ON_TENANT, OWN_PASSWORD, OWN_CERTIFICATE}
    assert {each for each in OBJECT_TYPES if each.severity != WARNING} == of_who_was_let_in

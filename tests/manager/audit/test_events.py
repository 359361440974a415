"""Is each change told in the audit log in its own words, with what differs?"""

from collections import Counter
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cloudgate.manager.audit.events import INFO, WARNING, Change, Event, change_to, differences
from cloudgate.manager.repositories import operations as repositories
from cloudgate.manager.tenants import operations as tenants
from tests.manager.audit.events import EVENTS

IDENTIFIER = UUID("917be225-6744-4777-8096-cbabaec55006")


NAMED: Any = {"object_id": IDENTIFIER, "object_name": "x", "owner_id": IDENTIFIER}


def test_published_events_are_told_in_the_published_words() -> None:
    told = {
        event.operation: (event.code, event.severity, Change(event, "X", **NAMED).text)
        for event in EVENTS
        if event.code and event is not tenants.DISABLED
    }
    certificate = "Cloud Connect certificate is being updated"
    user = f"Cloud Connect subtenant x [{IDENTIFIER}] [tenant ID: {IDENTIFIER}]"
    assert told == {
        "CreateCloudGateway": (24130, INFO, f"Cloud gateway x [{IDENTIFIER}] has been created"),
        "EditCloudGateway": (24131, INFO, f"Cloud gateway x [{IDENTIFIER}] has been modified"),
        "DeleteCloudGateway": (24140, WARNING, "Cloud gateway x has been deleted"),
        "CreateCloudGatewayPool": (
            24141,
            INFO,
            f"Cloud gateway pool 'x' [{IDENTIFIER}] has been created.",
        ),
        "UpdateCloudGatewayPool": (
            24142,
            INFO,
            f"Cloud gateway pool 'x' [{IDENTIFIER}] has been modified.",
        ),
        "DeleteCloudGatewayPool": (24143, WARNING, "Cloud gateway pool 'x' has been deleted."),
        "CreateCloudTenant": (
            24110,
            INFO,
            f"Cloud Connect tenant x [{IDENTIFIER}] has been created",
        ),
        "EditCloudTenant": (25100, INFO, f"Cloud Connect tenant x [{IDENTIFIER}] has been updated"),
        "DeleteCloudTenant": (24120, WARNING, "Cloud Connect tenant x has been deleted"),
        "CreateCloudTenantResource": (24150, INFO, "Tenant Quota Added: x"),
        "DeleteCloudTenantResource": (24170, WARNING, "Tenant Quota Deleted: x"),
        "AddCloudSubtenant": (25200, INFO, f"{user} has been created"),
        "EditCloudSubtenant": (25220, INFO, f"{user} has been updated"),
        "DeleteCloudSubtenant": (
            25210,
            WARNING,
            f"Cloud Connect subtenant x [tenant ID: {IDENTIFIER}] has been deleted",
        ),
        "CreateCloudCertificate": (24180, INFO, certificate),
        "DeleteCloudCertificate": (24180, WARNING, certificate),
        "OrderCloudCertificate": (24180, INFO, certificate),
        "RenewCloudCertificate": (24180, INFO, certificate),
    }


def test_disabling_a_tenant_has_an_event_of_its_own() -> None:
    def edit(*, was: bool, is_now: bool) -> Event:
        return tenants.event_of_edit({"Enabled": was}, {"Enabled": is_now})

    assert edit(was=True, is_now=False) is tenants.DISABLED
    assert edit(was=False, is_now=True) is edit(was=True, is_now=True) is tenants.EDITED
    assert (tenants.DISABLED.code, tenants.DISABLED.operation) == (25000, "EditCloudTenant")


def test_no_two_events_have_the_same_operation_but_those_of_an_edited_tenant() -> None:
    times = Counter(event.operation for event in EVENTS)
    assert len(EVENTS) > 80
    assert {name for name, count in times.items() if count > 1} == {"EditCloudTenant"}


def test_each_event_is_told_of_whatever_changes() -> None:
    for event in EVENTS:
        assert Change(event, "X").text, event.operation


def test_of_an_edit_only_what_differs_is_kept() -> None:
    before, after = {"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}
    edit = Change(repositories.EDITED, "X", before=before, after=after)
    assert differences(edit) == ({"b": 2, "c": None}, {"b": 3, "c": 4})
    made = Change(repositories.CREATED, "X", after={"Name": "vault"})
    assert differences(made) == (None, {"Name": "vault"})


documents = st.none() | st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))


@given(documents, documents)
def test_what_is_told_of_a_change_makes_what_was_into_what_is(
    before: dict[str, int] | None, after: dict[str, int] | None
) -> None:
    edit = Change(repositories.EDITED, "X", before=before, after=after)
    was, will_be = differences(edit)
    if before is None or after is None:
        assert (was, will_be) == (before, after)
        return
    assert was is not None
    assert will_be is not None
    assert was.keys() == will_be.keys()
    made = {name: value for name, value in {**before, **will_be}.items() if value is not None}
    assert made == after
    assert all(was[name] != will_be[name] for name in was)


def test_what_is_told_is_of_the_thing_that_was_changed() -> None:
    class Thing:
        id = IDENTIFIER
        name = "vault {id}"

    made = change_to(Thing(), "Repository", Event("EditRepository", "{name} of {owner}"))
    assert (made.object_id, made.object_name) == (IDENTIFIER, "vault {id}")
    assert made.text == "vault {id} of None", "a name is put in as it is"

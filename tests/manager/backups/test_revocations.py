"""Which rights that were taken away since a backup does a restore give back?"""

from typing import Any

import pytest

from cloudgate.manager.backups.pasts import BackupEnd
from cloudgate.manager.backups.revocations import revocations_among
from tests.manager.backups.support import entry

NOTHING = BackupEnd(0)
ON, OFF = {"Enabled": True}, {"Enabled": False}
ADMINISTRATOR, USER = {"Role": "Portal Administrator"}, {"Role": "Portal User"}
PHONE = {"Passkey": "phone"}
ANNA, BERT = {"Subject": "anna", "Issuer": "i"}, {"Subject": "bert", "Issuer": "i"}


def taken(*entries: tuple[Any, ...]) -> list[str]:
    """What the list says after these: operation and name, before, after."""
    made = []
    for number, (operation, name, *documents) in enumerate(entries, 1):
        before, after = (*documents, None, None)[:2]
        made.append(entry(number, operation, name, before=before, after=after))
    return [each.text for each in revocations_among(made, NOTHING).revocations]


def test_what_was_taken_away_is_named_and_what_was_given_back_is_not() -> None:
    found = revocations_among(
        [
            entry(1, "DeleteCloudTenant", "before the backup"),
            entry(2, "EditCloudTenant", "off", before=ON, after=OFF),
            entry(3, "EditCloudTenant", "back", before=ON, after=OFF),
            entry(4, "EditCloudTenant", "back", before=OFF, after=ON),
            entry(5, "CreateCloudTenant", "passing", after=ON),
            entry(6, "DeleteCloudTenant", "passing"),
            entry(7, "EditCloudTenant", "leaked", after={"Password": "changed"}),
            entry(8, "RevokeManagedServer", "stolen"),
            entry(9, "EditCloudTenant", "was off", before=OFF, after=ON),
            entry(10, "EditCloudTenant", "was off", before=ON, after=OFF),
            entry(11, "DeleteAccount", "refused", success=False),
            entry(12, "EditCloudTenant", "gone", after={"Password": "changed"}),
            entry(13, "DeleteCloudTenant", "gone"),
            entry(14, "LogOn", "admin"),
            entry(15, "EditCloudTenant", "less", before={"Speed": 9}, after={"Speed": 1}),
        ],
        BackupEnd(1),
    )
    assert [each.text for each in found.revocations] == [
        "Tenant off: disabled",
        "Tenant leaked: another password",
        "RevokeManagedServer stolen",
        "DeleteCloudTenant gone",
        "Tenant less: Speed from 9 to 1",
    ]
    assert (found.changes, found.last_at) == (12, "2030-01-01T00:00:15Z")
    assert (found.gaps, found.ends_before) == ((), False)


@pytest.mark.parametrize(
    ("after_it", "named"),
    [
        (("DeleteAccount", "eve"), "DeleteAccount eve"),
        (("DeleteAccountRole", "eve", USER), "Account eve: lost the role Portal User"),
        (("ChangePassword", "eve", None, {"Password": "changed"}), "Account eve: another password"),
    ],
)
@pytest.mark.parametrize(
    "before_it",
    [("AddPasskey", "eve", None, PHONE), ("AddAccountRole", "eve", None, ADMINISTRATOR)],
)
def test_an_account_that_got_something_is_not_taken_for_a_new_one(
    before_it: tuple[Any, ...], after_it: tuple[Any, ...], named: str
) -> None:
    assert named in taken(before_it, after_it)


def test_a_new_password_hides_nothing_that_was_taken_before() -> None:
    assert taken(
        ("DeleteAccountRole", "bob", ADMINISTRATOR),
        ("ChangePassword", "bob", None, {"Password": "changed"}),
        ("DeleteAccountRole", "bob", USER),
    ) == [
        "Account bob: lost the role Portal Administrator",
        "Account bob: another password",
        "Account bob: lost the role Portal User",
    ]
    changed = {"Username": "before"}, {"Username": "after", "Password": "changed"}
    assert taken(("EditCredentials", "site", *changed), ("EditCredentials", "site", {}, {})) == [
        "Credentials site: another password",
        "Credentials site: Username from 'before' to 'after'",
    ]


def test_a_role_is_named_where_the_backup_has_it_and_the_account_has_not() -> None:
    lost, got = ("DeleteAccountRole", "bob", USER), ("AddAccountRole", "bob", None, USER)
    assert taken(lost, got) == []
    assert taken(got, lost) == []
    assert taken(got, lost, got) == []
    assert taken(lost, got, lost) == ["Account bob: lost the role Portal User"]


def test_a_field_is_told_as_it_was_in_the_backup_and_as_it_is() -> None:
    less, least = ({"Speed": 9}, {"Speed": 5}), ({"Speed": 5}, {"Speed": 1})
    again = {"Speed": 1}, {"Speed": 9}
    edits = [("EditCloudTenant", "acme", *each) for each in (less, least, again)]
    assert taken(*edits[:2]) == ["Tenant acme: Speed from 9 to 1"]
    assert taken(*edits) == []


def test_a_gateway_that_was_closed_or_trusts_fewer_is_named() -> None:
    name = "proxy_protocol_networks"
    trusted: tuple[Any, Any] = {name: ["10.0.0.0/8"]}, {name: []}
    moved = {"external_ip": None, "external_port": 1}, {"external_ip": "a", "external_port": 2}
    assert taken(
        ("EditCloudGateway", "closed", {"enabled": True}, {"enabled": False}),
        ("EditCloudGateway", "trusting", *trusted),
        ("EditCloudGateway", "moved", *moved),
    ) == [
        "Gateway closed: disabled",
        "Gateway trusting: proxy_protocol_networks from ['10.0.0.0/8'] to []",
    ]


def test_who_comes_in_otherwise_than_in_the_backup_is_named() -> None:
    link, other = ("LinkAccount", "eve", None, ANNA), ("LinkAccount", "eve", None, BERT)
    unlink = ("UnlinkAccount", "eve", ANNA)
    relink = ("LinkAccount", "eve", {"Subject": "anna"}, {"Subject": "bert"})
    lost = "Account eve: belongs to anna of i no more, but to"
    assert taken(unlink) == [f"{lost} nobody"]
    assert taken(unlink, other) == [f"{lost} bert of i"]
    assert taken(relink) == ["Account eve: belongs to anna no more, but to bert"]
    assert taken(unlink, link) == taken(link, unlink) == taken(other) == []


def test_ways_past_a_second_factor_are_named() -> None:
    set_, removed = ("SetSecondFactor", "eve"), ("RemoveSecondFactor", "eve")
    lost, alone = (
        "Account eve: lost the second factor that it had",
        "Account eve: its password alone",
    )
    assert taken(removed) == taken(removed, set_) == [lost]
    (said,) = taken(set_)
    assert said.startswith(alone)
    assert taken(set_, removed) == []
    on, off = {"Required": True}, {"Required": False}
    required, free = (
        ("RequireSecondFactor", "Admins", off, on),
        ("RequireSecondFactor", "Admins", on, off),
    )
    assert taken(required) == ["Role Admins: its accounts need a second factor"]
    assert taken(free) == taken(required, free) == taken(free, required) == []


def test_a_passkey_that_was_lost_is_named_also_where_another_of_its_name_was_added() -> None:
    added, removed = ("AddPasskey", "eve", None, PHONE), ("RemovePasskey", "eve", PHONE)
    lost = ["Account eve: lost the passkey phone"]
    assert taken(removed) == taken(added, removed) == taken(removed, added) == lost
    both = taken(removed, ("RemovePasskey", "eve", {"Passkey": "key"}))
    assert both == [*lost, "Account eve: lost the passkey key"]
    (said,) = taken(added)
    assert said.startswith("Account eve: its password alone was not enough")


def test_an_old_password_that_was_ended_is_named_unless_it_is_of_after_the_backup() -> None:
    until = {"OldPasswordExpirationDate": "2030"}
    none = {"OldPasswordExpirationDate": None}
    replaced = none, {**until, "Password": "changed"}
    for kind in ("Tenant", "Subtenant"):
        end, rotate = f"EndOldCloud{kind}Password", f"RotateCloud{kind}Password"
        (ended,) = taken((end, "acme", until, none))
        assert ended.endswith("acme: the old password is good no more")
        (another,) = taken((rotate, "acme", *replaced), (end, "acme", until, none))
        assert another.endswith("acme: another password")


def test_a_token_is_revoked_again_by_its_id() -> None:
    (found,) = revocations_among(
        [entry(1, "RevokeApiToken", "robot", object_id="7")], NOTHING
    ).revocations
    assert found.advice == "cloudgate token revoke 7"


def test_a_server_that_was_revoked_is_named_also_where_a_machine_joined_as_it_since() -> None:
    said = taken(("RevokeManagedServer", "s"), ("JoinManagedServer", "s", None, {"HostName": "n"}))
    assert said == ["RevokeManagedServer s"]


def test_a_change_that_a_gateway_could_not_take_in_holds_and_is_named() -> None:
    found = revocations_among(
        [
            entry(1, "EditCloudTenant", "off", before=ON, after=OFF, success=False),
            entry(2, "DeleteCloudTenant", "gone", success=False),
            entry(3, "AddCloudSubtenant", "new", success=False),
            entry(4, "DeleteCloudSubtenant", "new"),
            entry(5, "ChangeOwnCloudTenantPassword", "guessed", success=False),
            entry(6, "ChangeOwnCloudTenantPassword", "guessed", after={"Times": 9}, success=False),
            entry(7, "EditCloudGateway", "put back", before=ON, after=OFF, success=False),
        ],
        NOTHING,
    )
    assert [each.text for each in found.revocations] == [
        "Tenant off: disabled",
        "DeleteCloudTenant gone",
    ]
    assert found.changes == 4


def test_maintenance_is_named_while_it_goes_on() -> None:
    words = {"Message": "a"}
    began, ended = ("BeginMaintenance", "", None, words), ("EndMaintenance", "", words)
    assert taken(began) == ["Maintenance: has begun"]
    in_other_words = ("BeginMaintenance", "", words, {"Message": "b"})
    assert taken(began, ended) == taken(in_other_words) == []


def test_entries_that_come_twice_count_once_and_those_that_are_missing_are_said() -> None:
    lost, got = entry(5, "DeleteAccountRole", "b", before=USER), entry(6, "X", "b")
    got = {**got, "operation": "AddAccountRole", "after": USER}
    again = entry(8, "DeleteAccountRole", "b", before=USER)
    found = revocations_among([lost, got, got, again], BackupEnd(3))
    assert [each.text for each in found.revocations] == ["Account b: lost the role Portal User"]
    assert (found.changes, found.gaps) == (3, ((4, 4), (7, 7)))


def test_names_cannot_make_a_shell_do_something_else() -> None:
    (found,) = revocations_among([entry(1, "DeleteAccount", "x; reboot {id}")], NOTHING).revocations
    assert found.advice == "cloudgate account delete 'x; reboot {id}'"
    linked = entry(1, "LinkAccount", "x", before=ANNA, after={"Subject": "$(reboot) {name}"})
    (found,) = revocations_among([linked], NOTHING).revocations
    assert found.advice == "cloudgate account link x '$(reboot) {name}'"


def test_of_a_new_resource_its_name_says_enough() -> None:
    said = ("CreateThing", "new"), ("EditThing", "new"), ("DeleteThing", "new")
    assert taken(*said, ("EditThing", "old"), ("DeleteThing", "older")) == [
        "EditThing old",
        "DeleteThing older",
    ]


def test_what_another_release_calls_otherwise_is_named() -> None:
    assert taken(("TakeSomething", "x"), ("TakeSomethingElse", "x")) == [
        "TakeSomething x",
        "TakeSomethingElse x",
    ]

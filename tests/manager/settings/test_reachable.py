"""May somebody name this to be dialled, or measured?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.errors import AccessDeniedError, InvalidRequestError
from cloudgate.manager.settings.reachable import ReachableTargets, reachable_by
from cloudgate.network.destinations import is_loopback, is_never


def test_networks_that_an_operator_names_are_all_that_others_may_name() -> None:
    named = reachable_by(["10.0.0.0/8", "127.0.0.0/8", "2001:db8::/32"], [])
    for host in ("10.1.2.3", "127.0.0.1", "2001:db8::1", "::ffff:10.0.0.1"):
        named.check_host(host, "Address", administers=False)
        assert named.may_be_dialled(host, named_by_administrator=False)
    for host in ("192.0.2.1", "vault.example", "localhost"):
        with pytest.raises(AccessDeniedError):
            named.check_host(host, "Address", administers=False)
        named.check_host(host, "Address", administers=True)
    for text in ("10.0.0.1/8", "x"):
        with pytest.raises(InvalidRequestError):
            reachable_by([text], [])
    with pytest.raises(InvalidRequestError):
        ReachableTargets().check_host("169.254.1.1", "Address", administers=True)


NAMED = reachable_by(["10.0.0.0/8", "127.0.0.0/8", "2001:db8::/32"], ["/srv/backups"])


@given(st.ip_addresses().map(str), st.sampled_from([ReachableTargets(), NAMED]))
def test_administrators_may_name_all_but_what_is_never_right_and_others_no_more_than_they(
    address: str, reachable: ReachableTargets
) -> None:
    administrator = reachable.may_be_dialled(address, named_by_administrator=True)
    other = reachable.may_be_dialled(address, named_by_administrator=False)
    assert administrator is not is_never(address)
    assert other <= administrator
    if not reachable.networks:
        assert other == (administrator and not is_loopback(address))


@given(st.ip_addresses().map(str), st.sampled_from([ReachableTargets(), NAMED]), st.booleans())
def test_what_may_be_named_as_an_address_is_what_may_be_dialled(
    address: str, reachable: ReachableTargets, administers: bool
) -> None:
    try:
        reachable.check_host(address, "Address", administers=administers)
    except (AccessDeniedError, InvalidRequestError):
        may_be_named = False
    else:
        may_be_named = True
    dialled = reachable.may_be_dialled(address, named_by_administrator=administers)
    assert may_be_named == dialled


def test_a_gateway_is_advertised_outside_of_services_networks_but_not_as_the_machine() -> None:
    NAMED.check_advertised("192.0.2.1", "Address", administers=False)
    NAMED.check_advertised("127.0.0.1", "Address", administers=False)
    ReachableTargets().check_advertised("127.0.0.1", "Address", administers=True)
    for host in ("localhost", "::1"):
        with pytest.raises(AccessDeniedError, match="means the machine itself"):
            ReachableTargets().check_advertised(host, "Address", administers=False)
    with pytest.raises(InvalidRequestError):
        NAMED.check_advertised("169.254.169.254", "Address", administers=True)


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("/srv/backups", True),
        ("/srv/backups/{tenant}", True),
        ("/srv/backups-of-others", False),
        ("/srv", False),
        ("srv/backups", False),
    ],
)
def test_a_folder_is_measured_within_those_that_were_named(path: str, *, good: bool) -> None:
    NAMED.check_folder(path, administers=True)
    for reachable in (NAMED, ReachableTargets()):
        if good and reachable is NAMED:
            reachable.check_folder(path, administers=False)
        else:
            with pytest.raises(AccessDeniedError, match="no folder that may be measured"):
                reachable.check_folder(path, administers=False)


@pytest.mark.parametrize("folder", ["srv", "", "/srv/../etc"])
def test_a_folder_is_named_from_the_root_and_without_dots(folder: str) -> None:
    with pytest.raises(InvalidRequestError, match="--measurable-folder: found"):
        reachable_by([], [folder])

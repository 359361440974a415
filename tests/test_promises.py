"""Is each cell of the table in docs/hosts.md kept by tests that are there?

The table promises operators what live and new tunnels feel of each event. Here stand the tests that
would fail if a cell were not true.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.api import test_pools as pools
from tests.end_to_end import test_faults as faults
from tests.end_to_end import test_live as live
from tests.gateway import test_host as host
from tests.gateway import test_machine as machine
from tests.gateway import test_maintenance as maintenance
from tests.gateway import test_revocation as revocation
from tests.gateway import test_succession as succession
from tests.gateway import test_tunnels as tunnels
from tests.network import test_machines_apart as apart

DOCUMENT = Path(__file__).parent.parent / "docs" / "hosts.md"
Tests = tuple[Callable[..., Any], ...]

KEPT: dict[str, tuple[Tests, Tests]] = {
    "tenant, quota or pool added": (
        (apart.test_a_new_tenant_is_let_in_and_nobody_else_feels_it,),
        (
            apart.test_a_new_tenant_is_let_in_and_nobody_else_feels_it,
            pools.test_gateways_learn_whom_they_are_for,
            tunnels.test_a_gateway_of_a_pool_is_for_its_tenants_only,
        ),
    ),
    "certificate renewed or replaced": (
        (apart.test_certificates_come_and_go_under_load_and_no_tunnel_is_cut,),
        (
            apart.test_certificates_come_and_go_under_load_and_no_tunnel_is_cut,
            machine.test_a_new_certificate_is_shown_while_a_tunnel_goes_on,
        ),
    ),
    "gateway edited: description, port, address, mode": (
        (
            apart.test_an_edit_that_needs_another_certificate_and_port_leaves_tunnels_alone,
            apart.test_a_gateway_is_reached_by_ipv6_behind_nat_and_directly,
            machine.test_an_edit_moves_the_port_while_a_tunnel_goes_on,
            machine.test_an_edit_of_the_addresses_keeps_port_and_tunnel,
        ),
        (
            apart.test_a_gateway_is_reached_by_ipv6_behind_nat_and_directly,
            machine.test_an_edit_moves_the_port_while_a_tunnel_goes_on,
            machine.test_a_failed_edit_leaves_the_old_gateway_in_force,
        ),
    ),
    "manager gone, for any time; or its database": (
        (
            apart.test_without_the_manager_all_goes_on_and_starts_again,
            apart.test_while_the_managers_database_is_away_all_goes_on,
            faults.test_a_tunnel_outlives_a_killed_manager_and_a_new_start_adopts_the_gateway,
        ),
        (
            apart.test_without_the_manager_all_goes_on_and_starts_again,
            apart.test_while_the_managers_database_is_away_all_goes_on,
        ),
    ),
    "line between host and manager broken": (
        (apart.test_a_bad_line_to_the_manager_or_the_tenant_is_survived,),
        (
            apart.test_a_host_that_reboots_opens_its_gateway_before_it_reaches_the_manager,
            apart.test_a_bad_line_to_the_manager_or_the_tenant_is_survived,
        ),
    ),
    "disk of the host full, or its clock wrong by a day": (
        (
            apart.test_a_host_whose_disk_is_full_goes_on_with_what_it_knows_and_says_so,
            apart.test_a_host_whose_clock_is_wrong_by_a_day_works_and_says_so,
        ),
        (
            apart.test_a_host_whose_disk_is_full_goes_on_with_what_it_knows_and_says_so,
            apart.test_a_host_whose_clock_is_wrong_by_a_day_works_and_says_so,
        ),
    ),
    "host service killed, restarted by `systemctl reload`, or renewed": (
        (
            apart.test_a_host_service_that_is_killed_or_renewed_leaves_its_tunnels_alone,
            host.test_a_killed_host_service_cuts_nothing_and_a_new_one_adopts,
        ),
        (apart.test_a_host_service_that_is_killed_or_renewed_leaves_its_tunnels_alone,),
    ),
    "host service renewed, with a new Envoy or new settings for it": (
        (
            succession.test_a_newer_envoy_takes_over_and_no_tunnel_is_cut_or_refused,
            succession.test_one_that_took_over_hands_over_too_and_all_of_their_tunnels_go_on,
        ),
        (succession.test_a_newer_envoy_takes_over_and_no_tunnel_is_cut_or_refused,),
    ),
    "Envoy killed": (
        (apart.test_an_envoy_that_is_killed_takes_its_tunnels_along_and_is_back_in_two_seconds,),
        (
            apart.test_an_envoy_that_is_killed_takes_its_tunnels_along_and_is_back_in_two_seconds,
            machine.test_a_killed_envoy_listens_again_within_two_seconds,
        ),
    ),
    "machine restarted": (
        (apart.test_a_host_that_reboots_opens_its_gateway_before_it_reaches_the_manager,),
        (apart.test_a_host_that_reboots_opens_its_gateway_before_it_reaches_the_manager,),
    ),
    "gateway drained, disabled or deleted": (
        (
            apart.test_a_drain_lets_tunnels_finish_and_closes_what_is_left_at_the_deadline,
            machine.test_a_closed_gateway_drains_and_counts,
            machine.test_at_the_deadline_what_is_left_is_cut,
        ),
        (apart.test_a_drain_lets_tunnels_finish_and_closes_what_is_left_at_the_deadline,),
    ),
    "gateway moved to a pool that its tenants may not use": (
        (
            revocation.test_a_gateway_that_is_set_apart_lets_strange_tunnels_finish_until_the_deadline,
        ),
        (tunnels.test_a_gateway_of_a_pool_is_for_its_tenants_only,),
    ),
    "maintenance": (
        (maintenance.test_a_backup_that_runs_finishes_and_a_new_one_is_ended,),
        (
            maintenance.test_a_restore_may_begin_and_goes_on,
            maintenance.test_with_nothing_allowed_the_message_is_the_answer,
        ),
    ),
    "one tunnel closed by the operator": (
        (live.test_an_operator_sees_tunnels_closes_one_and_holds_maintenance,),
        (live.test_an_operator_sees_tunnels_closes_one_and_holds_maintenance,),
    ),
    "tenant disabled, removed, or its lease over": (
        (
            revocation.test_a_tenants_tunnels_end_within_seconds_and_no_others,
            revocation.test_a_lease_that_runs_out_ends_its_tunnels,
        ),
        (tunnels.test_a_disabled_tenant_is_told_so,),
    ),
}


def test_each_event_that_operators_are_told_of_is_tested_for_live_and_for_new_tunnels() -> None:
    lines = DOCUMENT.read_text().splitlines()
    first = lines.index("| Event | Live tunnels | New tunnels |") + 2
    told = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        told.append(line.split("|")[1].strip())
    assert told == list(KEPT)
    for event, cells in KEPT.items():
        assert all(cells), event

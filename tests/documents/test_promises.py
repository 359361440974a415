"""Is each cell of the table in docs/hosts.md kept by tests that are there?

The table promises operators what live and new tunnels feel of each event. Here stands what each
cell says, word by word, with the tests that would fail if it were not true. Whoever changes a
promise has to look at its tests.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.api.handlers.cloud import test_pools as pools
from tests.end_to_end import test_faults as faults
from tests.end_to_end import test_live as live
from tests.end_to_end import test_rules as rules
from tests.host import test_machine as machine
from tests.host import test_service as host
from tests.host.authorization import test_client_certificates as certificates
from tests.host.authorization import test_networks as networks
from tests.host.envoy import test_hot_restart as succession
from tests.host.port import test_tunnels as tunnels
from tests.host.tunnels import test_restore_only as maintenance
from tests.host.tunnels import test_revocation as rights
from tests.host.tunnels import test_revoked_tunnels as revocation
from tests.namespaces import test_machines_apart as apart
from tests.namespaces import test_machines_in_trouble as trouble

DOCUMENT = Path(__file__).parents[2] / "docs" / "hosts.md"
HEADING = "| Event | Live tunnels | New tunnels |"


class Cell(NamedTuple):
    """What a cell says, and what keeps it."""

    says: str
    tests: tuple[Callable[..., Any], ...]


KEPT: dict[str, tuple[Cell, Cell]] = {
    "tenant, quota or pool added": (
        Cell("go on", (apart.test_a_new_tenant_is_let_in_and_nobody_else_feels_it,)),
        Cell(
            "as configured, within a second",
            (
                apart.test_a_new_tenant_is_let_in_and_nobody_else_feels_it,
                pools.test_gateways_learn_whom_they_are_for,
                tunnels.test_a_gateway_of_a_pool_is_for_its_tenants_only,
            ),
        ),
    ),
    "certificate renewed or replaced": (
        Cell("go on", (apart.test_certificates_come_and_go_under_load_and_no_tunnel_is_cut,)),
        Cell(
            "see the new one",
            (
                apart.test_certificates_come_and_go_under_load_and_no_tunnel_is_cut,
                machine.test_a_new_certificate_is_shown_while_a_tunnel_goes_on,
            ),
        ),
    ),
    "gateway edited: description, port, address, mode": (
        Cell(
            "go on",
            (
                apart.test_an_edit_that_needs_another_certificate_and_port_leaves_tunnels_alone,
                apart.test_a_gateway_is_reached_by_ipv6_behind_nat_and_directly,
                apart.test_a_gateway_is_reached_by_a_name_and_by_the_address_that_it_speaks_from,
                machine.test_an_edit_moves_the_port_while_a_tunnel_goes_on,
                machine.test_an_edit_of_the_addresses_keeps_port_and_tunnel,
            ),
        ),
        Cell(
            "by the new address once it listens; by the old one if it cannot",
            (
                apart.test_a_gateway_is_reached_by_ipv6_behind_nat_and_directly,
                apart.test_a_gateway_is_reached_by_a_name_and_by_the_address_that_it_speaks_from,
                machine.test_an_edit_moves_the_port_while_a_tunnel_goes_on,
                machine.test_a_failed_edit_leaves_the_old_gateway_in_force,
            ),
        ),
    ),
    "manager gone, for any time; or its database": (
        Cell(
            "go on",
            (
                trouble.test_without_the_manager_all_goes_on_and_starts_again,
                trouble.test_while_the_managers_database_is_away_all_goes_on,
                faults.test_a_tunnel_outlives_a_killed_manager_and_a_new_start_adopts_the_gateway,
            ),
        ),
        Cell(
            "let in by what is on the host's disk",
            (
                trouble.test_without_the_manager_all_goes_on_and_starts_again,
                trouble.test_while_the_managers_database_is_away_all_goes_on,
            ),
        ),
    ),
    "line between host and manager broken": (
        Cell(
            "go on",
            (
                trouble.test_while_the_line_to_the_manager_is_broken_tunnels_move_and_new_ones_are_let_in,
            ),
        ),
        Cell(
            "let in",
            (
                trouble.test_while_the_line_to_the_manager_is_broken_tunnels_move_and_new_ones_are_let_in,
                trouble.test_a_machine_that_starts_again_lets_in_before_it_reaches_the_manager,
            ),
        ),
    ),
    "line to the tenant silent for a while, or all lines of the host lose packets": (
        Cell(
            "go on",
            (
                trouble.test_a_tunnel_outlives_a_line_to_the_tenant_that_is_silent_for_a_while,
                trouble.test_on_lines_that_lose_packets_tunnels_move_and_new_ones_are_let_in,
            ),
        ),
        Cell(
            "let in once they get through",
            (
                trouble.test_a_tunnel_outlives_a_line_to_the_tenant_that_is_silent_for_a_while,
                trouble.test_on_lines_that_lose_packets_tunnels_move_and_new_ones_are_let_in,
            ),
        ),
    ),
    "disk of the host full, or its clock wrong by a day": (
        Cell(
            "go on",
            (
                trouble.test_a_host_whose_disk_is_full_goes_on_with_what_it_knows_and_says_so,
                trouble.test_a_host_service_that_is_killed_while_the_disk_is_full_comes_back,
                trouble.test_a_host_whose_clock_is_wrong_by_a_day_works_and_says_so,
            ),
        ),
        Cell(
            "let in by what is on the host's disk; `status` says so",
            (
                trouble.test_a_host_whose_disk_is_full_goes_on_with_what_it_knows_and_says_so,
                trouble.test_a_host_service_that_is_killed_while_the_disk_is_full_comes_back,
                trouble.test_an_envoy_that_dies_while_the_disk_is_full_is_back_in_seconds,
                trouble.test_a_host_whose_clock_is_wrong_by_a_day_works_and_says_so,
            ),
        ),
    ),
    "host service killed": (
        Cell(
            "go on",
            (
                trouble.test_a_host_service_that_is_killed_or_reloaded_leaves_its_tunnels_alone,
                host.test_a_killed_host_service_cuts_nothing_and_a_new_one_adopts,
            ),
        ),
        Cell(
            "503 until it is back, then let in",
            (trouble.test_a_host_service_that_is_killed_or_reloaded_leaves_its_tunnels_alone,),
        ),
    ),
    "host service renewed or restarted by `systemctl reload`": (
        Cell(
            "go on",
            (trouble.test_a_host_service_that_is_killed_or_reloaded_leaves_its_tunnels_alone,),
        ),
        Cell(
            "let in; none is refused",
            (trouble.test_a_host_service_that_is_killed_or_reloaded_leaves_its_tunnels_alone,),
        ),
    ),
    "the same, with a new Envoy or new settings for it": (
        Cell(
            "go on in the old Envoy, which ends with the last of them",
            (
                trouble.test_an_upgrade_of_envoy_cuts_no_tunnel_and_refuses_none,
                succession.test_a_newer_envoy_takes_over_and_no_tunnel_is_cut_or_refused,
                succession.test_one_that_took_over_hands_over_too_and_all_of_their_tunnels_go_on,
            ),
        ),
        Cell(
            "by the new Envoy; none is refused in between",
            (
                trouble.test_an_upgrade_of_envoy_cuts_no_tunnel_and_refuses_none,
                succession.test_a_newer_envoy_takes_over_and_no_tunnel_is_cut_or_refused,
            ),
        ),
    ),
    "Envoy killed": (
        Cell(
            "end",
            (
                trouble.test_an_envoy_that_is_killed_takes_its_tunnels_along_and_is_back_in_two_seconds,
            ),
        ),
        Cell(
            "let in again within 2 seconds",
            (
                trouble.test_an_envoy_that_is_killed_takes_its_tunnels_along_and_is_back_in_two_seconds,
                machine.test_a_killed_envoy_listens_again_within_two_seconds,
            ),
        ),
    ),
    "machine restarted": (
        Cell(
            "end",
            (trouble.test_a_machine_that_starts_again_lets_in_before_it_reaches_the_manager,),
        ),
        Cell(
            "let in before the manager is reached",
            (trouble.test_a_machine_that_starts_again_lets_in_before_it_reaches_the_manager,),
        ),
    ),
    "gateway drained, disabled or deleted": (
        Cell(
            "go on until the deadline",
            (
                apart.test_a_drain_lets_tunnels_finish_and_closes_what_is_left_at_the_deadline,
                machine.test_a_closed_gateway_drains_and_counts,
                machine.test_at_the_deadline_what_is_left_is_cut,
            ),
        ),
        Cell(
            "refused at once",
            (apart.test_a_drain_lets_tunnels_finish_and_closes_what_is_left_at_the_deadline,),
        ),
    ),
    "gateway moved to a pool that its tenants may not use": (
        Cell(
            "go on until the deadline",
            (
                revocation.test_a_gateway_that_is_set_apart_lets_strange_tunnels_finish_until_the_deadline,
            ),
        ),
        Cell(
            "refused for these tenants",
            (tunnels.test_a_gateway_of_a_pool_is_for_its_tenants_only,),
        ),
    ),
    "maintenance": (
        Cell("go on", (maintenance.test_a_backup_that_runs_finishes_and_a_new_one_is_ended,)),
        Cell(
            "bring data back only, or are refused, as the operator chose",
            (
                maintenance.test_a_restore_may_begin_and_goes_on,
                maintenance.test_with_nothing_allowed_the_message_is_the_answer,
                live.test_an_operator_sees_tunnels_closes_one_and_holds_maintenance,
            ),
        ),
    ),
    "one tunnel closed by the operator": (
        Cell(
            "that one ends, the others go on",
            (live.test_an_operator_sees_tunnels_closes_one_and_holds_maintenance,),
        ),
        Cell("let in", (live.test_an_operator_sees_tunnels_closes_one_and_holds_maintenance,)),
    ),
    "a tenant's certificate revoked": (
        Cell(
            "those that came in by it end, the others go on",
            (
                certificates.test_when_it_has_ended_or_was_revoked_it_opens_nothing_and_a_password_still_does,
            ),
        ),
        Cell(
            "refused by it, let in by the password",
            (
                certificates.test_when_it_has_ended_or_was_revoked_it_opens_nothing_and_a_password_still_does,
            ),
        ),
    ),
    "a quota or a month's egress used up": (
        Cell(
            "go on",
            (
                maintenance.test_above_the_quota_restores_go_on_and_who_sends_is_ended_and_told_why,
                maintenance.test_when_egress_is_used_up_backups_go_on_and_restores_end_and_are_told_why,
            ),
        ),
        Cell(
            "bring data back only; or send it only, where egress is used up",
            (
                maintenance.test_above_the_quota_restores_go_on_and_who_sends_is_ended_and_told_why,
                maintenance.test_when_egress_is_used_up_backups_go_on_and_restores_end_and_are_told_why,
            ),
        ),
    ),
    "password, networks or targets changed": (
        Cell(
            "go on; those that `--end-tunnels` is meant for end",
            (
                rules.test_a_new_password_is_asked_of_new_tunnels_only,
                rules.test_a_new_password_ends_the_tunnels_when_that_is_asked_for,
                rules.test_a_quota_that_is_taken_away_ends_the_tunnels_there_and_no_others_when_that_is_asked_for,
                rights.test_where_tunnels_to_some_targets_were_ended_those_to_others_go_on,
                networks.test_a_list_that_is_edited_holds_for_the_next_tunnel_and_live_ones_go_on,
                networks.test_when_asked_live_tunnels_from_elsewhere_end_and_the_others_go_on,
            ),
        ),
        Cell(
            "by what holds now",
            (
                rules.test_a_new_password_is_asked_of_new_tunnels_only,
                rules.test_a_quota_that_is_taken_away_ends_the_tunnels_there_and_no_others_when_that_is_asked_for,
                networks.test_a_list_that_is_edited_holds_for_the_next_tunnel_and_live_ones_go_on,
            ),
        ),
    ),
    "a user of a tenant disabled or removed": (
        Cell(
            "the user's own end within 5 seconds, the others go on",
            (
                rules.test_a_subtenant_that_is_disabled_is_cut_and_its_tenant_is_not,
                revocation.test_a_user_of_a_tenant_that_is_removed_loses_its_own_tunnels_only,
            ),
        ),
        Cell("refused", (rules.test_a_subtenant_that_is_disabled_is_cut_and_its_tenant_is_not,)),
    ),
    "tenant disabled, removed, or its lease over": (
        Cell(
            "end within 5 seconds",
            (
                apart.test_who_may_not_be_here_any_more_loses_tunnels_in_seconds_and_gets_no_new_one,
                revocation.test_a_tenants_tunnels_end_within_seconds_and_no_others,
                revocation.test_a_lease_that_runs_out_ends_its_tunnels,
            ),
        ),
        Cell(
            "refused",
            (
                apart.test_who_may_not_be_here_any_more_loses_tunnels_in_seconds_and_gets_no_new_one,
                revocation.test_a_lease_that_runs_out_ends_its_tunnels,
                tunnels.test_a_disabled_tenant_is_told_so,
                tunnels.test_who_is_not_known_is_asked_for_a_password,
            ),
        ),
    ),
}


def told() -> dict[str, list[str]]:
    """What the document says of each event: of live tunnels, and of new ones."""
    lines = DOCUMENT.read_text().splitlines()
    found = {}
    for line in lines[lines.index(HEADING) + 2 :]:
        if not line.startswith("|"):
            break
        event, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[event] = cells
    return found


def test_each_promise_of_live_and_new_tunnels_stands_in_the_document_as_it_is_tested() -> None:
    assert told() == {event: [cell.says for cell in cells] for event, cells in KEPT.items()}
    for event, cells in KEPT.items():
        assert all(cell.tests for cell in cells), event

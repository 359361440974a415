"""Is each byte of the log counted once, whatever was read again, put together or handed over?"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from cloudgate.host.access_log.record import (
    AccessRecord,
    RecordType,
)
from cloudgate.host.access_log.tunnel_metadata import TunnelMetadata
from cloudgate.host.tunnels.accounting import (
    LONGEST_AWAY,
    TOLD_BY_HOURS,
    TOLD_BY_MINUTES,
    Tunnel,
    TunnelTable,
)
from cloudgate.protocol import Usage
from cloudgate.protocol.bounds import MOST_BYTES

REPO = "repo.example:443"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entry(kind: RecordType, tunnel: str, up: int, down: int = 0) -> AccessRecord:
    return AccessRecord(
        kind=kind,
        tunnel=tunnel,
        envoy="e",
        started_at=NOW,
        metadata=TunnelMetadata(slot_id="", tenant_id=UUID(int=1)),
        target=REPO,
        client="192.0.2.1:5",
        from_address="",
        bytes_up=up,
        bytes_down=down,
    )


@given(st.lists(st.integers(0, 10**12), min_size=1).map(sorted), st.integers(0, 3))
def test_what_is_counted_is_what_the_last_line_says(totals: list[int], repeated: int) -> None:
    tunnels = TunnelTable()
    taken: list[Usage] = []
    for total in totals:
        for _ in range(1 + repeated):
            tunnels.apply(entry(RecordType.GOING_ON, "t", total), NOW)
        taken += tunnels.drain_usage()
    tunnels.apply(entry(RecordType.ENDED, "t", totals[-1]), NOW)
    taken += tunnels.drain_usage()
    assert sum(each.bytes_up for each in taken) == totals[-1]
    assert sum(each.tunnels for each in taken) == 1
    assert tunnels.live == ()


def test_more_than_a_manager_hears_is_told_as_the_most() -> None:
    tunnels = TunnelTable()
    tunnels.apply(entry(RecordType.GOING_ON, "t", 2 * MOST_BYTES, 5), NOW)
    (told,) = tunnels.drain_usage()
    assert (told.bytes_up, told.bytes_down, told.tunnels) == (MOST_BYTES, 5, 1)


def test_a_tunnel_has_its_connections_by_both_ends_and_of_lines_of_before_by_those_they_told() -> (
    None
):
    told = replace(
        entry(RecordType.BEGUN, "t", 0),
        from_address="192.0.2.9:40000",
        gateway_address="192.0.2.8:443",
        target_address="192.0.2.10:6180",
    )
    before = replace(told, gateway_address="", target_address="")
    nowhere = replace(told, from_address="")
    tunnels = TunnelTable()
    names = [
        (made.client_connection, made.target_connection)
        for number, each in enumerate((told, before, nowhere))
        for made in [tunnels.apply(replace(each, tunnel=str(number)), NOW)]
    ]
    assert names == [
        ("192.0.2.8:443>192.0.2.1:5", "192.0.2.9:40000>192.0.2.10:6180"),
        ("192.0.2.1:5", "192.0.2.9:40000"),
        ("192.0.2.8:443>192.0.2.1:5", ""),
    ]


def test_what_a_release_before_kept_nothing_of_is_taken_from_the_next_line() -> None:
    nothing_told = entry(RecordType.GOING_ON, "t", 5)
    told = replace(
        nothing_told,
        metadata=replace(nothing_told.metadata, certificate_id=UUID(int=7)),
        gateway_address="192.0.2.8:443",
        target_address="192.0.2.10:6180",
    )
    whole = TunnelTable().apply(told, NOW)
    assert whole.certificate_id == UUID(int=7)
    kept = TypeAdapter(Tunnel).dump_python(whole, by_alias=True)
    for each in ("certificate_id", "gateway_address", "target_address"):
        del kept[each]  # a host service of 0.1.0 writes what it knows
    tunnels = TunnelTable([TypeAdapter(Tunnel).validate_python(kept)])
    assert tunnels.apply(told, NOW) == whole
    assert tunnels.apply(nothing_told, NOW) == whole
    assert tunnels.live == (whole,)
    assert tunnels.usage == ()


minutes_ago = st.integers(0, 60 * 24 * 90)


@given(st.lists(st.tuples(minutes_ago, st.integers(0, 10**9)), max_size=30))
def test_what_waits_for_long_is_told_by_hours_and_days_and_nothing_is_lost(
    seen: list[tuple[int, int]],
) -> None:
    tunnels = TunnelTable()
    for number, (ago, up) in enumerate(seen):
        tunnels.apply(entry(RecordType.ENDED, str(number), up), NOW - timedelta(minutes=ago))
    tunnels.compact(NOW)
    tunnels.compact(NOW)
    told = tunnels.drain_usage()
    assert sum(each.bytes_up for each in told) == sum(up for _, up in seen)
    assert sum(each.tunnels for each in told) == len(seen)
    for each in told:
        if each.minute < NOW - TOLD_BY_HOURS:
            assert (each.minute.hour, each.minute.minute) == (0, 0)
        elif each.minute < NOW - TOLD_BY_MINUTES:
            assert each.minute.minute == 0
    assert [each.minute for each in told] == sorted(each.minute for each in told)


def test_what_was_counted_by_a_clock_that_was_wrong_was_used_now() -> None:
    right, long_ago, ahead = NOW - timedelta(minutes=5), NOW - 2 * LONGEST_AWAY, NOW + LONGEST_AWAY
    used = {"tenant_id": UUID(int=1), "target": REPO, "tunnels": 1, "bytes_up": 5, "bytes_down": 0}
    tunnels = TunnelTable(
        used=[Usage.model_validate({"minute": each, **used}) for each in (right, long_ago, ahead)]
    )
    tunnels.mend_times(NOW)
    assert {each.minute: each.bytes_up for each in tunnels.usage} == {right: 5, NOW: 10}


ONE, TWO = UUID(int=1), UUID(int=2)


def of(tenant_id: UUID, record: AccessRecord, **more: object) -> AccessRecord:
    return replace(record, metadata=TunnelMetadata("", tenant_id, **more))  # type: ignore[arg-type]


names = st.sampled_from("abc")
sizes = st.integers(0, 10**6)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("line"), names, sizes, sizes),
        st.tuples(st.just("end"), names, sizes, sizes),
        st.tuples(st.just("lose"), names),
        st.tuples(st.sampled_from(["hand over", "compact", "mend", "restart"])),
        st.tuples(st.just("wait"), st.integers(1, 3 * 24 * 60)),
    ),
    max_size=40,
)


@given(steps)
def test_whatever_happens_between_each_tenant_is_billed_what_its_tunnels_carried(
    found: list[tuple[object, ...]],
) -> None:
    """A slower count: of each tunnel the most that a line has said, and that it began."""
    table, now, lives = TunnelTable(), NOW, dict.fromkeys("abc", 0)
    most: dict[tuple[str, int], tuple[int, int]] = {}
    told: list[Usage] = []
    for kind, *said in found:
        match kind, said:
            case (("line" | "end"), [str(name), int(up), int(down)]):
                which = (name, lives[name])
                before = most.get(which, (0, 0))
                most[which] = (max(before[0], up), max(before[1], down))
                how = RecordType.ENDED if kind == "end" else RecordType.GOING_ON
                tunnel_id = f"{name}{lives[name]}"
                whose = TWO if name == "c" else ONE
                after = table.apply(of(whose, entry(how, tunnel_id, up, down)), now)
                assert (after.bytes_up, after.bytes_down) == most[which]
                lives[name] += kind == "end"
            case "lose", [str(name)]:
                table.end_lost([f"{name}{lives[name]}"])
                assert f"{name}{lives[name]}" not in {each.tunnel for each in table.live}
            case "hand over", _:
                told += table.drain_usage(2)
            case "compact", _:
                table.compact(now)
            case "mend", _:
                table.mend_times(now)
            case "restart", _:
                table = TunnelTable(table.live, table.usage, table.lost)
            case "wait", [int(minutes)]:
                now += timedelta(minutes=minutes)
    told += table.drain_usage()
    assert table.usage == ()
    for tenant_id, its in ((ONE, "ab"), (TWO, "c")):
        mine = [each for each in told if each.tenant_id == tenant_id]
        carried = [both for (name, _), both in most.items() if name in its]
        assert sum(each.tunnels for each in mine) == len(carried)
        assert sum(each.bytes_up for each in mine) == sum(up for up, _ in carried)
        assert sum(each.bytes_down for each in mine) == sum(down for _, down in carried)


def test_the_oldest_is_handed_over_first_and_what_is_left_stays() -> None:
    table = TunnelTable()
    for ago in (1, 3, 2):
        moment = NOW - timedelta(minutes=ago)
        table.apply(entry(RecordType.GOING_ON, f"t{ago}", ago), moment)
    assert [each.bytes_up for each in table.drain_usage(2)] == [3, 2]
    assert [each.bytes_up for each in table.usage] == [1]


def test_use_is_told_apart_by_tenant_user_and_target_within_a_minute() -> None:
    table, user = TunnelTable(), UUID(int=7)
    table.apply(entry(RecordType.GOING_ON, "a", 1), NOW)
    table.apply(of(ONE, entry(RecordType.GOING_ON, "b", 2), user_id=user), NOW)
    other = replace(entry(RecordType.GOING_ON, "c", 4), target="other.example:1")
    table.apply(other, NOW + timedelta(seconds=59))
    table.apply(entry(RecordType.GOING_ON, "d", 8), NOW + timedelta(seconds=59))
    found = {(each.minute, each.user_id, each.target): each.bytes_up for each in table.usage}
    assert found == {
        (NOW, None, REPO): 9,
        (NOW, user, REPO): 2,
        (NOW, None, "other.example:1"): 4,
    }


def test_tunnels_of_an_envoy_that_is_gone_have_ended_and_their_use_stays() -> None:
    table = TunnelTable()
    table.apply(entry(RecordType.GOING_ON, "of e", 5), NOW)
    table.apply(replace(entry(RecordType.GOING_ON, "of f", 6), envoy="f"), NOW)
    table.keep_only({"f"})
    assert [each.tunnel for each in table.live] == ["of f"]
    assert sum(each.bytes_up for each in table.drain_usage()) == 11


def test_when_maintenance_is_over_what_could_only_bring_back_is_as_all_others() -> None:
    table = TunnelTable()
    table.apply(of(ONE, entry(RecordType.GOING_ON, "a", 1), restoring=True), NOW)
    table.apply(of(ONE, entry(RecordType.GOING_ON, "b", 1), over_quota=True), NOW)
    table.lift_restore_only()
    found = {each.tunnel: (each.restoring, each.over_quota) for each in table.live}
    assert found == {"a": (False, False), "b": (False, True)}
    assert table.apply(of(ONE, entry(RecordType.ENDED, "a", 3)), NOW).bytes_up == 3


def test_a_clock_that_is_right_moves_nothing() -> None:
    table = TunnelTable()
    table.apply(entry(RecordType.ENDED, "a", 1), NOW - LONGEST_AWAY)
    table.apply(entry(RecordType.ENDED, "b", 1), NOW)
    before = table.usage
    table.mend_times(NOW)
    assert table.usage == before

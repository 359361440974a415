"""Does each connection begin no faster than it may, through the cluster that is named for it?"""

from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.envoy.start_rates import (
    RATES_BYTES,
    RATES_TO_SEVERAL_BYTES,
    TO_SEVERAL,
    UNLIMITED_CLUSTER,
    cluster_of,
    name_of,
    rate_of,
    to_one,
    to_several,
)
from cloudgate.host.envoy.xds_resources import SO_MAX_PACING_RATE, clusters


def test_each_start_rate_has_a_cluster_and_none_is_faster_than_asked() -> None:
    assert rate_of(UNLIMITED_CLUSTER) is None
    for rate in (*RATES_BYTES, 1_048_576, 9.9e8):
        assert rate / 2 <= (rate_of(cluster_of(rate)) or 0) <= rate
    assert rate_of(cluster_of(10**12)) == RATES_BYTES[-1]
    assert rate_of(cluster_of(1)) == RATES_BYTES[0]


def test_each_cluster_has_one_that_tries_several_addresses_and_begins_no_faster() -> None:
    told = {each["name"]: each for each in clusters({"address": {}})}
    assert rate_of(to_several(UNLIMITED_CLUSTER)) is None
    assert "upstream_bind_config" not in told[to_several(UNLIMITED_CLUSTER)]
    for rate in RATES_BYTES:
        one = told[to_several(name_of(rate))]
        options = one["upstream_bind_config"]["socket_options"]
        (begins,) = [each["int_value"] for each in options if each["name"] == SO_MAX_PACING_RATE]
        assert begins == rate_of(one["name"])
        assert rate / 3 <= begins <= rate
        assert one["typed_extension_protocol_options"]


@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_who_may_be_faster_never_begins_slower_nor_anybody_faster_than_it_may(
    one: float, more: float
) -> None:
    slow, fast = rate_of(cluster_of(one)), rate_of(cluster_of(one + more))
    assert slow is not None
    assert fast is not None
    assert slow <= fast
    assert slow <= max(one, RATES_BYTES[0])
    assert slow in RATES_BYTES


def test_a_tunnel_may_change_between_one_address_and_several_and_never_gets_faster() -> None:
    assert to_several(UNLIMITED_CLUSTER) == TO_SEVERAL
    assert to_one(TO_SEVERAL) == UNLIMITED_CLUSTER
    assert to_one(UNLIMITED_CLUSTER) == UNLIMITED_CLUSTER
    for rate in RATES_BYTES:
        several = to_several(name_of(rate))
        assert rate_of(several) in RATES_TO_SEVERAL_BYTES
        assert several.startswith(TO_SEVERAL)
        assert to_several(several) == several
        assert rate_of(to_one(several)) == rate_of(several)
        assert not to_one(several).startswith(TO_SEVERAL)
        assert to_one(name_of(rate)) == name_of(rate)


def test_no_two_rates_have_one_cluster() -> None:
    both = [name_of(each) for each in RATES_BYTES]
    both += [name_of(each, TO_SEVERAL) for each in RATES_TO_SEVERAL_BYTES]
    assert len({*both, UNLIMITED_CLUSTER, TO_SEVERAL}) == len(both) + 2
    assert list(RATES_BYTES) == sorted(set(RATES_BYTES))

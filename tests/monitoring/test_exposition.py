"""Does a reader find in a page what was put there, whatever names and values there are?"""

from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from cloudgate.monitoring.exposition import OPEN_METRICS, TEXT, Lines
from cloudgate.monitoring.gateway_lines import FAMILIES, write_figures
from cloudgate.protocol import SETUP_BUCKETS_SECONDS, Distribution, Figures

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
AMOUNTS = st.floats(0, 1e15) | st.integers(0, 10**15)
COUNTS = st.lists(
    st.integers(0, 2**62),
    min_size=len(SETUP_BUCKETS_SECONDS) + 1,
    max_size=len(SETUP_BUCKETS_SECONDS) + 1,
)


@given(NAMES, NAMES, st.integers(0, 2**62), AMOUNTS, COUNTS)
@example('a"} 1\ncloudgate_ready 0', "\\", 2**62, 1e15, [2**62] * 6)
@example("\\n\\", "a\nb", 0, 5e-324, [0] * 6)
@example("\r\u2028\x0b", "</script>", 1, 0.1, [1] * 6)
def test_what_a_host_says_is_read_as_it_was_said(
    gateway: str, site: str, opened: int, held_back: float, counts: list[int]
) -> None:
    times = Distribution(counts=tuple(counts), sum_seconds=held_back)
    figures = Figures(
        run="a",
        uptime_seconds=1.0,
        tunnels_opened=opened,
        held_back_seconds={"limit": held_back, "</b>": held_back},
        refused={'made "up"': 1},
        full={"memory": 0.5, "made up": 0.9},
        setup=times,
    )
    for form, read, end in ((TEXT, text_format, ""), (OPEN_METRICS, open_metrics, "# EOF\n")):
        lines = Lines()
        write_figures(lines, figures, gateway, site, 1000.0)
        found = [
            each
            for family in read(b"".join(lines.render(form, end)).decode())
            for each in family.samples
        ]
        assert {(each.labels["gateway"], each.labels["site"]) for each in found} == {
            (gateway, site)
        }
        assert {each.labels.get("resource") for each in found} == {None, "memory"}
        assert {each.labels.get("reason") for each in found} == {None, "limit", "other"}
        values = {each.name: each.value for each in found}
        assert float(values["cloudgate_gateway_tunnels_opened_total"]) == float(opened)
        assert float(values["cloudgate_gateway_tunnel_setup_seconds_count"]) == float(sum(counts))
        names = {each.name for each in found}
        assert {each for each in names if each in FAMILIES} >= {
            "cloudgate_gateway_tunnels",
            "cloudgate_gateway_held_back_seconds_total",
        }

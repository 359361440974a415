"""Do manager and host show what they count, as Prometheus takes it, and all that is declared?"""

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from cloudgate.monitoring.metrics_table import Kind, Page, shown_on
from tests.support.observation.monitored_product import Service, Site, site
from tests.support.running.tunnel import open_tunnel, repository
from tests.support.waiting import until

pytestmark = pytest.mark.end_to_end
FIGURES_SECONDS = 60.0
TARGET = "vault.example:443"
SECRET = "marked-secret-of-acme"
OF_THE_LIBRARY = ("process_", "python_")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)"
)
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """With a tenant that moved some bytes, and somebody who was refused."""
    folder = tmp_path_factory.mktemp("watched")
    with site(folder) as made, repository() as address:
        made.add_host()
        made.add_gateway()
        with made.client() as client:
            uid = client.add_repository("vault", TARGET, address)
            client.add_tenant("acme", SECRET, uid)
        yield made


def samples(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            found.setdefault(each.name, {})[tuple(sorted(each.labels.items()))] = each.value
    return found


def scraped(service: Service, path: str = "/metrics") -> Samples:
    return samples(service.get(path).raise_for_status().text)


def value(found: Samples, name: str, **labels: str) -> float | None:
    """Of the series that has these labels."""
    for known, each in found.get(name, {}).items():
        if labels.items() <= dict(known).items():
            return each
    return None


@pytest.fixture(scope="module")
def used(watched: Site) -> Site:
    """After a tunnel of known bytes, and a wrong password, both of them heard by the manager."""
    tunnel = open_tunnel(watched.gateway_port, watched.ca_file, TARGET, f"acme:{SECRET}")
    assert tunnel.status == 200
    tunnel.exchange(20_000, 300_000)
    tunnel.line.close()
    refused = open_tunnel(watched.gateway_port, watched.ca_file, TARGET, "acme:wrong")
    assert refused.status == 407
    refused.line.close()

    def is_heard() -> bool:
        found = scraped(watched.manager)
        opened = value(found, "cloudgate_gateway_tunnels_opened_total")
        refused = value(found, "cloudgate_gateway_refused_total", reason="credentials")
        billed = value(
            scraped(watched.manager, "/metrics/tenants"),
            "cloudgate_tenant_bytes_total",
            tenant="acme",
            direction="down",
        )
        return opened == 1 and refused == 1 and billed == 300_000

    until(is_heard, FIGURES_SECONDS)
    return watched


def pages(used: Site) -> dict[Page, tuple[Service, str]]:
    return {
        Page.MANAGER: (used.manager, "/metrics"),
        Page.TENANTS: (used.manager, "/metrics/tenants"),
        Page.HOST: (used.host, "/metrics"),
    }


@pytest.mark.parametrize("page", list(Page))
def test_all_that_is_shown_is_declared_with_its_type_and_labels(used: Site, page: Page) -> None:
    service, path = pages(used)[page]
    declared = {each.name: each for each in shown_on(page)}
    for family in text_string_to_metric_families(service.get(path).text):
        if family.name.startswith(OF_THE_LIBRARY):
            continue
        # The parser takes `_total` off.
        metric = declared.get(family.name) or declared[f"{family.name}_total"]
        wanted = "gauge" if metric.kind is Kind.INFO else metric.kind.value
        assert (family.type, family.documentation) == (wanted, metric.help)
        for each in family.samples:
            assert set(each.labels) - {"le"} == set(metric.labels), each


@pytest.mark.parametrize("page", list(Page))
def test_all_that_is_declared_is_shown(used: Site, page: Page) -> None:
    service, path = pages(used)[page]
    shown = {each.removesuffix("_count") for each in scraped(service, path)}
    absent = {each.name for each in shown_on(page)} - shown
    # What there is nothing to say of here: no limit, nothing measured, nothing that needs a look,
    # nothing that is used by a twentieth, no backup, no repository that is to keep what is deleted.
    may_be_absent = {
        "cloudgate_backup_last_timestamp_seconds",
        "cloudgate_gateway_full_ratio",
        "cloudgate_needs_a_look",
        "cloudgate_repository_protected",
        "cloudgate_tenant_tunnels_limit",
        "cloudgate_tenant_limit_bytes",
        "cloudgate_tenant_used_bytes",
    }
    assert absent <= may_be_absent


@needs_promtool
@pytest.mark.parametrize("page", list(Page))
def test_promtool_has_nothing_to_say(used: Site, page: Page) -> None:
    service, path = pages(used)[page]
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=service.get(path).content,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("page", list(Page))
def test_open_metrics_says_the_same(used: Site, page: Page) -> None:
    service, path = pages(used)[page]
    answer = service.get(path, Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    families = open_metrics(answer.text)  # type: ignore[no-untyped-call]
    names = {each.name for family in families for each in family.samples}
    assert names == set(scraped(service, path))


def test_a_gateway_counts_what_went_through_it(used: Site) -> None:
    for service in (used.manager, used.host):
        found = scraped(service)
        assert value(found, "cloudgate_gateway_bytes_total", direction="up") == 20_000
        assert value(found, "cloudgate_gateway_bytes_total", direction="down") == 300_000
        assert value(found, "cloudgate_gateway_tunnel_setup_seconds_count") == 1
        # The answer to a wrong password waits on purpose, and is no sign of a slow gateway.
        assert value(found, "cloudgate_gateway_authorization_seconds_count") == 1
        assert value(found, "cloudgate_gateway_handshakes_total") == 2
        assert value(found, "cloudgate_gateway_certificate_expiry_timestamp_seconds")
    found = scraped(used.manager)
    assert value(found, "cloudgate_gateway_up", gateway="gw1.example", site="site.example") == 1
    assert value(found, "cloudgate_hosts", state="Online") == 1
    assert abs(value(found, "cloudgate_gateway_clock_skew_seconds") or 0) < 10


def test_sums_of_tenants_are_those_of_the_usage_api(used: Site) -> None:
    found = scraped(used.manager, "/metrics/tenants")
    with used.client() as client:
        usage = client.http.get("/cloud/usage?total=true").json()["CloudUsages"]["CloudUsages"]
    for direction, name in (("up", "BytesUp"), ("down", "BytesDown")):
        shown = value(found, "cloudgate_tenant_bytes_total", tenant="acme", direction=direction)
        assert shown == sum(each[name] for each in usage if each["CloudTenant"] == "acme")
    opened = value(found, "cloudgate_tenant_tunnels_opened_total", tenant="acme")
    assert opened == sum(each["Tunnels"] for each in usage)


def test_no_page_names_users_addresses_targets_or_secrets(used: Site) -> None:
    for service, path in pages(used).values():
        text = service.get(path).text
        assert not re.search(r"\d+\.\d+\.\d+\.\d+\"", text)
        for marked in (SECRET, "vault.example", "admin", "wrong"):
            assert marked not in text
    assert "acme" not in used.manager.get("/metrics").text


def test_counts_of_a_host_service_begin_at_0_and_those_of_tenants_go_on_over_its_restart(
    used: Site,
) -> None:
    began = value(scraped(used.host), "cloudgate_gateway_start_timestamp_seconds")
    used.host.process.send_signal(signal.SIGHUP)
    until(lambda: not used.host.is_ready() or used.host.systemd.lines.count("READY=1") == 2)
    until(used.host.is_ready)
    until(lambda: value(scraped(used.host), "cloudgate_gateway_start_timestamp_seconds") != began)
    assert value(scraped(used.host), "cloudgate_gateway_tunnels_opened_total") == 0
    tenants = scraped(used.manager, "/metrics/tenants")
    assert value(tenants, "cloudgate_tenant_bytes_total", direction="down") == 300_000
    until(
        lambda: value(scraped(used.manager), "cloudgate_gateway_tunnels_opened_total") == 0,
        FIGURES_SECONDS,
    )

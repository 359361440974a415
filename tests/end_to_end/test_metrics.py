"""Do manager and host show what they count, as Prometheus takes it, and all that is documented?"""

import shutil
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.tunnel import repository
from tests.support.watched import Service, Site, site

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

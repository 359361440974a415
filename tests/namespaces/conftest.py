"""One site for all tests of this folder that leave it as they found it."""

from collections.abc import Iterator

import pytest

from tests.namespaces.site import Site
from tests.support.machine.network import provider


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A provider with three gateways, storage and a tenant."""
    with provider(tmp_path_factory.mktemp("network")) as started:
        made = Site(started)
        made.open()
        yield made

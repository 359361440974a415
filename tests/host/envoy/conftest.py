"""Which Envoy is installed: as a test says."""

import pytest

from tests.host.envoy.renewals import Installation


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Installation:
    return Installation(monkeypatch)

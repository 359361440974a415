"""Is a host service told in words that what was set for it is no number to work with?"""

import pytest

from cloudgate.errors import InvalidRequestError
from cloudgate.host.settings import (
    CAPACITY_VARIABLE,
    CONNECTIONS_VARIABLE,
    DRAIN_VARIABLE,
    WAIT_VARIABLE,
    HostSettings,
)

VARIABLES = (CAPACITY_VARIABLE, CONNECTIONS_VARIABLE, DRAIN_VARIABLE, WAIT_VARIABLE)


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("said", ["inf", "-inf", "nan", "1e999", "1e305", "many", "0x10"])
def test_what_is_no_number_or_too_large_a_one_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, variable: str, said: str
) -> None:
    monkeypatch.setenv(variable, said)
    with pytest.raises(InvalidRequestError, match=f"{variable} is '{said}'; expected a number of"):
        HostSettings.from_environment()


def test_what_is_a_number_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, said in zip(VARIABLES, ("8", "2.0", "1e9", "-1"), strict=True):
        monkeypatch.setenv(variable, said)
    assert HostSettings.from_environment() == HostSettings(
        capacity_bytes=1_000_000,
        connections_per_address=2,
        drain_seconds=1e9,
        slot_wait_seconds=0.0,
    )

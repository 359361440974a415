"""What the API says of itself holds: Schemathesis tries each call, with what is right and wrong."""

from pathlib import Path

import pytest

from tests.api.compatibility.schemathesis_run import (
    THERE,
    TIME_LIMIT_SECONDS,
    hold,
)


@pytest.mark.timeout(TIME_LIMIT_SECONDS)
def test_every_call_does_what_its_description_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(tmp_path, monkeypatch, "--include-path-regex", THERE)

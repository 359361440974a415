"""What the API says of itself holds for what there never is, too: jobs, replicas, agents."""

from pathlib import Path

import pytest

from tests.api.compatibility.schemathesis_run import THERE, TIME_LIMIT_SECONDS, hold


@pytest.mark.timeout(TIME_LIMIT_SECONDS)
def test_every_call_for_what_is_not_here_does_what_its_description_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One handler answers them all, whatever the body: random ones show nothing more.
    hold(tmp_path, monkeypatch, "--exclude-path-regex", THERE, phases="examples,coverage")

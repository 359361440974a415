"""While others write for long, who wants to change something is told that, and to try again."""

from pathlib import Path

import pytest

from cloudgate.manager.core.unit_of_work import DISK
from cloudgate.manager.storage import database
from cloudgate.manager.storage.failures import BUSY
from tests.support.running.manager import running_manager


def test_a_change_that_does_not_come_to_its_turn_is_to_be_tried_again_and_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 1)
    with running_manager(tmp_path) as running:
        client = running.logged_on()
        with running.manager.changing(shown=False):
            refused = client.post("/cloud/tenants", json={"Name": "acme"})
        assert refused.status_code == 503
        assert refused.json()["Message"] == BUSY
        assert int(refused.headers["Retry-After"]) > 0
        assert DISK not in {each.kind for each in running.manager.warnings.all()}
        assert client.post("/cloud/tenants", json={"Name": "acme"}).status_code == 202
    said = capsys.readouterr().out
    assert "the database was busy" in said
    assert "the database failed" not in said
    assert "Traceback" not in said

"""Whose state do commands look at that are told no folder?"""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloudgate.cli import settings
from cloudgate.cli.app import app


@pytest.fixture
def packaged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with the package, on which neither service has run, and a user with no state."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        _install(Path(made), monkeypatch)
        yield Path(made)


def _install(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(place / "own"))
    monkeypatch.delenv("CLOUDGATE_DATA", raising=False)
    for name, folder in (("PACKAGED_DATA", "manager"), ("PACKAGED_HOST_DATA", "gateway")):
        (place / folder).mkdir(mode=0o700)
        monkeypatch.setattr(settings, name, place / folder)


def test_the_state_of_the_package_is_looked_at_where_the_user_has_none(packaged: Path) -> None:
    assert settings.present_data_folder() == packaged / "own" / "cloudgate"
    (packaged / "gateway" / "host").mkdir()
    assert settings.present_data_folder() == packaged / "gateway"
    (packaged / "manager" / "sealing.key").touch()
    assert settings.present_data_folder() == packaged / "manager"
    (packaged / "own" / "cloudgate").mkdir(parents=True)
    assert settings.present_data_folder() == packaged / "own" / "cloudgate"


def test_what_is_begun_is_begun_in_the_users_own_folder(packaged: Path) -> None:
    (packaged / "manager" / "sealing.key").touch()
    assert settings.default_data_folder() == packaged / "own" / "cloudgate"


def test_the_doctor_looks_at_the_host_service_of_the_package(packaged: Path) -> None:
    (packaged / "gateway" / "host").mkdir()
    said = CliRunner().invoke(app, ["doctor", "-o", "json"])
    found = {each["Check"]: each for each in json.loads(said.stdout)}
    assert "data folder" not in found, "it is there"
    assert str(packaged / "gateway") in found["host service"]["Text"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_who_may_not_look_into_the_folder_of_the_package_is_not_led_to_another(
    packaged: Path,
) -> None:
    os.seteuid(65534)
    try:
        assert settings.present_data_folder() == packaged / "manager"
    finally:
        os.seteuid(0)

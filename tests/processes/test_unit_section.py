"""Are services of ours, of whichever unit, started anew however often they end?"""

import configparser
from datetime import UTC, datetime
from pathlib import Path

import pytest

import cloudgate
from cloudgate.cli.service.connector_unit import connector_unit
from cloudgate.cli.service.manager import systemd_unit as of_manager
from cloudgate.connector.settings import Options
from cloudgate.host.platform import linux
from cloudgate.processes.unit_section import unit_section
from delivery import packages

DATA = Path("/var/lib/cloudgate")
PRINTED = {
    "manager": of_manager.unit(["/usr/bin/cloudgate", "serve"], "cloudgate", [DATA]),
    "host service": linux.unit("/usr/bin/python3", DATA, "cloudgate"),
    "connector of acme": connector_unit(Options(tenant="acme"), DATA / "acme.toml", "acme"),
}
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def settings(text: str) -> configparser.ConfigParser:
    """A unit; of a setting that is there twice the last one."""
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters=["="])
    unit.optionxform = str  # type: ignore[assignment]
    unit.read_string(text)
    return unit


def goes_on_for_ever(text: str) -> bool:
    """systemd gives up on what ends five times in ten seconds, unless it is told otherwise."""
    unit = settings(text)
    is_limited = unit["Unit"].get("StartLimitIntervalSec") != "0"
    return unit["Service"]["Restart"] == "always" and not is_limited


@pytest.mark.parametrize("name", PRINTED)
def test_systemd_never_gives_up_on_a_service(name: str) -> None:
    """After a power cut its database, or an address of its machine, may be there minutes later."""
    assert goes_on_for_ever(PRINTED[name])
    assert not goes_on_for_ever(PRINTED[name].replace("StartLimitIntervalSec=0\n", ""))
    assert PRINTED[name].startswith(unit_section(f"Cloudgate {name}"))


def test_what_it_is_called_is_on_one_line_and_no_setting() -> None:
    said = unit_section("of 100%\nRestart=no")
    assert settings(said)["Unit"]["Description"] == "of 100%% Restart=no"


def test_nor_on_one_of_a_package(tmp_path: Path) -> None:
    packages.stage(tmp_path / "staged", "1.2.3", [], int(DAY.timestamp()))
    units = list((tmp_path / "staged/usr/lib/systemd/system").iterdir())
    assert {each.stem for each in units} == packages.UNITS
    for each in units:
        assert goes_on_for_ever(each.read_text("utf-8"))


def test_there_is_no_unit_but_these() -> None:
    sources = Path(cloudgate.__file__).parent
    texts = (each.read_text("utf-8") for each in sources.rglob("*.py"))
    assert sum("\n[Service]\n" in each for each in texts) == len(PRINTED)

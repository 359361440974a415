"""Does docs/commands.md name each command, and each setting of the environment?"""

import re
from pathlib import Path

import typer

from cloudgate.cli.app import app
from delivery.promised import OWN_VARIABLES, variables

SOURCE = Path(__file__).parent.parent / "src" / "cloudgate"
PAGE = Path(__file__).parent.parent / "docs" / "commands.md"


def test_each_command_stands_in_the_page() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    text = PAGE.read_text("utf-8")
    said = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`]*)`", text))))
    missing = set(commands) - said
    assert not missing


def test_each_setting_of_the_environment_stands_in_the_page() -> None:
    named = variables(SOURCE)
    assert named > OWN_VARIABLES
    missing = named - OWN_VARIABLES - set(re.findall(r"CLOUDGATE_\w+", PAGE.read_text("utf-8")))
    assert not missing

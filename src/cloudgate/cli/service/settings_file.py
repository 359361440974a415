"""Settings file: what has an operator written down for a service, and is it right?

TOML with the names of the service's options, in which ``-`` is written ``_``. An option wins over
the environment, the environment over the file, the file over what holds when nothing is said.
"""

import difflib
import math
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from cloudgate.errors import InvalidRequestError
from cloudgate.host.envoy.data_path import choice
from cloudgate.host.settings import (
    CAPACITY_VARIABLE,
    CONNECTIONS_VARIABLE,
    DRAIN_VARIABLE,
    LARGEST_NUMBER,
    WAIT_VARIABLE,
)
from cloudgate.named_files import data_of, text_in

LARGEST_FILE_BYTES = 1024 * 1024
_NOT_IN_FILES = frozenset({"help", "config", "print_unit"})
_IS_PATH = ("FILE", "FOLDER")
"""What options call values that are looked for below the file's folder when they are relative."""
SYSLOG = "syslog"
CREDENTIALS = "$CREDENTIALS_DIRECTORY/"
"""Begins the path of a secret that systemd hands to a service (systemd.exec(5), LoadCredential)."""


@dataclass(frozen=True)
class Setting:
    """What may stand in a file."""

    name: str
    wanted: str
    """What its value has to be, in words."""
    fits: Callable[[Any], bool]
    """Whether a value of TOML is of the right type."""
    variable: str = ""
    """Of the environment, for what is no option; else empty."""
    parameter: Any = None
    """Of the command, for what is an option."""


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 <= value <= LARGEST_NUMBER


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, list) and all(map(_is_text, value)))


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


OF_HOSTS = (
    Setting("connections_per_address", "a whole number", _is_integer, CONNECTIONS_VARIABLE),
    Setting("tunnel_wait_seconds", "a number of seconds", _is_number, WAIT_VARIABLE),
    Setting(
        "data_path",
        " or ".join(f'"{each}"' for each in choice.DataPathKind),
        lambda value: value in [*choice.DataPathKind],
        choice.VARIABLE,
    ),
    Setting(
        "gateway_mbit",
        "a number of millions of bits each second",
        _is_number,
        CAPACITY_VARIABLE,
    ),
    Setting("drain_seconds", "a number of seconds", _is_number, DRAIN_VARIABLE),
)
"""Settings of the host service that are no options: it reads them from the environment."""


@dataclass(frozen=True)
class SettingsFileContent:
    """What a file says, by name, and what is wrong with it, each with file, line and reason."""

    values: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def settings_of(parameters: Iterable[Any], besides: Sequence[Setting] = ()) -> dict[str, Setting]:
    """What may stand in the file of a service, given the parameters of its command."""
    options = (
        _setting(each)
        for each in parameters
        if each.name and each.name not in _NOT_IN_FILES and not each.hidden
    )
    return {each.name: each for each in (*besides, *options)}


def _setting(parameter: Any) -> Setting:
    name = parameter.name
    if parameter.multiple:
        return Setting(name, "a text, or a list of texts", _is_texts, parameter=parameter)
    if parameter.type_descriptor.annotation is int:
        return Setting(name, "a whole number", _is_integer, parameter=parameter)
    return Setting(name, "a text in quotes", _is_text, parameter=parameter)


def read_file(file: Path, known: Mapping[str, Setting], context: Any) -> SettingsFileContent:
    """What a file says. Paths that are relative are below its folder.

    Args:
        file: where it is.
        known: what may stand in it.
        context: of the command that the options are of.

    Raises:
        InvalidRequestError: it cannot be read, or is not TOML.
    """
    text = _text(file)
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise InvalidRequestError(f"{file} is not TOML: {problem}.") from None
    values: dict[str, Any] = {}
    problems = []
    for name, value in said.items():
        try:
            values[name] = _value(file, known, name, value, context)
        except InvalidRequestError as problem:
            problems.append(f"{file}, line {_line(text, name)}: {problem.message}")
    return SettingsFileContent(values, tuple(problems))


def _text(file: Path) -> str:
    data = data_of(file, most_bytes=LARGEST_FILE_BYTES + 1)
    if len(data) > LARGEST_FILE_BYTES:
        raise InvalidRequestError(f"{file} is too large for a file with settings.")
    return text_in(data, file)


def _value(file: Path, known: Mapping[str, Setting], name: str, value: Any, context: Any) -> Any:
    setting = known.get(name)
    if setting is None:
        near = difflib.get_close_matches(name.replace("-", "_"), known, 1)
        hint = f"; do you mean {near[0]}?" if near else f". There are: {', '.join(sorted(known))}."
        raise InvalidRequestError(f"there is no setting {name!r}{hint}")
    if not setting.fits(value):
        raise InvalidRequestError(f"{name} has to be {setting.wanted}.")
    parameter = setting.parameter
    if parameter is None:
        return value
    if parameter.multiple:
        value = [value] if isinstance(value, str) else value
    elif str(parameter.metavar).startswith(_IS_PATH) and value.startswith(CREDENTIALS):
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if folder is None:  # it is there for the service alone, and not for who looks at the file
            return value
        value = f"{folder}/{value.removeprefix(CREDENTIALS)}"
    elif str(parameter.metavar).startswith(_IS_PATH) and value != SYSLOG:
        value = str(file.parent / value)
    else:
        value = str(value)  # as it is typed
    try:
        parameter.process_value(context, value)
    except typer.BadParameter as problem:
        raise InvalidRequestError(f"{name}: {problem.message.rstrip('.')}.") from None
    return value


def _line(text: str, name: str) -> int:
    """Where a name stands first; TOML's reader does not tell."""
    named = re.compile(rf"""\s*(\[\s*)?["']?{re.escape(name)}["']?\s*[=.\]]""")
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if named.match(line)), 1)


def use_file(context: typer.Context, file: Path, besides: Sequence[Setting]) -> set[str]:
    """Have a command take from a file what neither options nor the environment say.

    Which variables of the environment were set for that.

    Raises:
        InvalidRequestError: it cannot be read, or something in it is wrong.
    """
    command: Any = context.command
    found = read_file(file, settings_of(command.params, besides), context)
    if found.problems:
        raise InvalidRequestError("\n".join(found.problems))
    options = {each.name for each in command.params}
    context.default_map = {name: each for name, each in found.values.items() if name in options}
    said = {
        each.variable: str(found.values[each.name])
        for each in besides
        if each.name in found.values and each.variable not in os.environ
    }
    os.environ.update(said)
    return {*said}

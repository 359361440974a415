"""Typed options: how is what an operator types read into options, and told again?"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from cloudgate.cli.option_groups import group_of, options_in
from cloudgate.cli.service.manager.options import Options
from cloudgate.manager.settings.effective import Setting

_PASSWORD_IN_URL = re.compile(r"(://[^/@:]*):.*(?=@)")


def parameters() -> list[inspect.Parameter]:
    """What may be typed, as Typer reads it; what is left out is None where a default is made."""
    return list(options_in(Options))


def options_of(values: Mapping[str, Any]) -> Options:
    """The options of what was typed, by the names of `parameters`."""
    return group_of(Options, values)


def typed(options: Options) -> Iterator[tuple[str, Any]]:
    """The names and values of `Options.typed`."""
    return ((name, value) for name, value in _all(options) if name in options.typed)


def settings_in_force(options: Options) -> tuple[Setting, ...]:
    """What holds, to be looked at: secrets are in files, and a password in a URL is left out."""
    return tuple(Setting(name=name, value=_value_text(value)) for name, value in _all(options))


def _value_text(value: Any) -> str | None:
    if value is None or value == ():
        return None
    parts = value if isinstance(value, tuple) else (value,)
    return ", ".join(_PASSWORD_IN_URL.sub(r"\1", str(each)) for each in parts)


def _all(options: Any) -> Iterator[tuple[str, Any]]:
    """Each option, and its value."""
    hints = get_type_hints(type(options), include_extras=True)
    for each in fields(options):
        value = getattr(options, each.name)
        if is_dataclass(value):
            yield from _all(value)
        elif hasattr(hints[each.name], "__metadata__"):
            yield each.name, value

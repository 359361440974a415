"""Typed options: how is what an operator types read into options, and told again?"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

from cloudgate.cli.service.manager.options import Options
from cloudgate.manager.core.settings import Setting

Made = TypeVar("Made")
_PASSWORD_IN_URL = re.compile(r"(://[^/@:]*):.*(?=@)")


def parameters() -> list[inspect.Parameter]:
    """What may be typed, as Typer reads it; what is left out is None where a default is made."""
    return [_parameter(each, hint) for each, hint, _ in _all(Options())]


def options_of(values: Mapping[str, Any]) -> Options:
    """The options of what was typed, by the names of `parameters`."""
    return _made(Options, values)


def typed(options: Options) -> Iterator[tuple[str, Any]]:
    """The names and values of `Options.typed`."""
    return ((each.name, value) for each, _, value in _all(options) if each.name in options.typed)


def told(options: Options) -> tuple[Setting, ...]:
    """What holds, to be looked at: secrets are in files, and a password in a URL is left out."""
    return tuple(Setting(name=each.name, value=_told(value)) for each, _, value in _all(options))


def _told(value: Any) -> str | None:
    if value is None or value == ():
        return None
    parts = value if isinstance(value, tuple) else (value,)
    return ", ".join(_PASSWORD_IN_URL.sub(r"\1", str(each)) for each in parts)


def _all(options: Any) -> Iterator[tuple[Field[Any], Any, Any]]:
    """Each option, its type, and its value."""
    hints = get_type_hints(type(options), include_extras=True)
    for each in fields(options):
        value = getattr(options, each.name)
        if is_dataclass(value):
            yield from _all(value)
        elif hasattr(hints[each.name], "__metadata__"):
            yield each, hints[each.name], value


def _parameter(one: Field[Any], hint: Any) -> inspect.Parameter:
    kind: Any = hint.__origin__
    default = one.default
    if default is MISSING or default == ():
        kind, default = (list[str] if default == () else kind) | None, None
    kind = Annotated[kind, *hint.__metadata__]
    return inspect.Parameter(
        one.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
    )


def _made(kind: type[Made], values: Mapping[str, Any]) -> Made:
    own: dict[str, Any] = {}
    for each, hint in get_type_hints(kind).items():
        if isinstance(hint, type) and is_dataclass(hint):
            own[each] = _made(hint, values)
        elif values.get(each) is not None:
            own[each] = tuple(values[each]) if isinstance(values[each], list) else values[each]
    return kind(**own)

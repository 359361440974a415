"""Option groups: how are options that several commands have said once?

A group is a dataclass whose fields are options, or groups in turn. A command takes it as one
parameter, and who types sees its options as the command's own.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Annotated, Any, TypeVar, cast, get_type_hints

Group = TypeVar("Group")


def flattened(parameters: Iterable[inspect.Parameter]) -> Iterator[inspect.Parameter]:
    """Parameters with the options of groups in the places of the groups."""
    for each in parameters:
        if is_dataclass(each.annotation):
            yield from options_in(each.annotation)
        else:
            yield each


def gathered(parameters: Iterable[inspect.Parameter], typed: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a command, of what was typed by the names of the flattened parameters."""
    found = dict(typed)
    for each in parameters:
        if is_dataclass(each.annotation):
            own = {option.name: found.pop(option.name) for option in options_in(each.annotation)}
            found[each.name] = group_of(cast(Any, each.annotation), own)
    return found


def options_in(kind: Any) -> Iterator[inspect.Parameter]:
    """The options of a group, as Typer reads them; None where a default is made when left out."""
    hints = get_type_hints(kind, include_extras=True)
    for each in fields(kind):
        hint = hints[each.name]
        if is_dataclass(hint):
            yield from options_in(hint)
        elif hasattr(hint, "__metadata__"):
            yield _parameter(each, hint)


def group_of(kind: Callable[..., Group], typed: Mapping[str, Any]) -> Group:
    """A group of what was typed, by the names of `options_in`."""
    hints, own = get_type_hints(kind), dict[str, Any]()
    for each in fields(cast(Any, kind)):
        hint, value = hints[each.name], typed.get(each.name)
        if is_dataclass(hint):
            own[each.name] = group_of(cast(Any, hint), typed)
        elif value is not None:
            own[each.name] = tuple(value) if each.default == () else value
    return kind(**own)


def _parameter(one: Field[Any], hint: Any) -> inspect.Parameter:
    kind: Any = hint.__origin__
    default = one.default
    if default is MISSING or default == ():
        kind, default = (list[str] if default == () else kind) | None, None
    kind = Annotated[kind, *hint.__metadata__]
    return inspect.Parameter(
        one.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
    )

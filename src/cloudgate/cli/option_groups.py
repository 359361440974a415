"""Option groups: how are options that several commands have said once?

A group is a dataclass whose fields are options. A command takes it as one parameter, and who types
sees its options as the command's own.
"""

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from typing import Any

KEYWORD = inspect.Parameter.KEYWORD_ONLY


def flattened(parameters: Iterable[inspect.Parameter]) -> Iterator[inspect.Parameter]:
    """Parameters with the options of groups in the places of the groups."""
    for each in parameters:
        if is_group(each):
            yield from _options(each)
        else:
            yield each


def gathered(parameters: Iterable[inspect.Parameter], typed: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a command, of what was typed by the names of the flattened parameters."""
    found = dict(typed)
    for each in parameters:
        if is_group(each):
            own = {option.name: found.pop(option.name) for option in _options(each)}
            found[each.name] = each.annotation(**own)
    return found


def is_group(parameter: inspect.Parameter) -> bool:
    """Whether a parameter stands for a group of options."""
    return is_dataclass(parameter.annotation)


def _options(group: inspect.Parameter) -> Iterable[inspect.Parameter]:
    return inspect.signature(group.annotation).parameters.values()

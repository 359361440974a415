"""All events of the product."""

from collections.abc import Iterator

import cloudgate.api
import cloudgate.manager
from cloudgate import modules
from cloudgate.manager.audit.events import Event


def events_in(value: object) -> Iterator[Event]:
    if isinstance(value, Event):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from events_in(each)


EVENTS = {
    event
    for package in (cloudgate.manager, cloudgate.api)
    for module in modules.below(package)
    for value in vars(module).values()
    for event in events_in(value)
}

"""Contract document: what does docs/contract.md say of calls and elements? Its tables."""

from collections.abc import Iterator

from cloudgate.api.compatibility.elements import ELEMENTS, OF_ALL, Element, Treatment
from cloudgate.api.compatibility.published import CALLS, PublishedCall
from cloudgate.api.handlers import absent
from cloudgate.api.http.router import Route, choose
from cloudgate.api.table import ROUTES, router
from cloudgate.wire.description import parts

TABLES = ("calls", "elements")
"""The tables stand between comments ``<!-- NAME -->`` and ``<!-- /NAME -->``."""
_OF_ABSENT = {id(route) for route in absent.ROUTES}
_SAMPLE = "29e5d158-1f58-44bc-bbaa-2752d787a91d"


def table(name: str) -> str:
    """One of the `TABLES`."""
    lines = _calls() if name == "calls" else _elements()
    return "\n".join(lines)


def filled(page: str) -> str:
    """The page with its tables as they should be."""
    for name in TABLES:
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = page.partition(start)
        _, _, after = rest.partition(end)
        page = f"{before}{start}\n\n{table(name)}\n\n{end}{after}"
    return page


def _calls() -> Iterator[str]:
    yield "| Published call | Here |"
    yield "|---|---|"
    rows: dict[tuple[str, str], list[str]] = {}
    for published in CALLS:
        verb = published.verb + (f" `?action={published.action}`" if published.action else "")
        rows.setdefault((published.path, _answer(published)), []).append(verb)
    for (path, answer), verbs in rows.items():
        yield f"| `{path}` {', '.join(verbs)} | {answer} |"


def _answer(published: PublishedCall) -> str:
    found = router().match(published.path.replace("{ID}", _SAMPLE).replace("{name}", "x"))
    if found is None or published.verb not in found.routes:
        raise LookupError(f"{published} has no route.")
    route = choose(found.routes[published.verb], published.action)
    return _outcome_text(route)


def _outcome_text(route: Route) -> str:
    status = route.answers.status if route.answers else 0
    if status == 501:  # noqa: PLR2004
        return "501, with the reason"
    if status == 404:  # noqa: PLR2004
        return "404: there is never one"
    if id(route) in _OF_ABSENT:
        return "empty"
    return "served"


def _elements() -> Iterator[str]:
    yield "| Body | Element | Here | |"
    yield "|---|---|---|---|"
    for root, elements in elements_of_bodies().items():
        for name, element in elements.items():
            yield f"| `{root}` | `{name}` | {element.fate.value} | {element.words} |"


def elements_of_bodies() -> dict[str, dict[str, Element]]:
    """What becomes of each element: by the list, and by extensions that say it themselves."""
    found = {root: dict(elements) for root, elements in ELEMENTS.items()}
    for kind in dict.fromkeys(kind for route in ROUTES for kind in route.bodies):
        for part in parts(kind):
            if part.extension and part.name not in OF_ALL:
                elements = found.setdefault(kind.root(), {})
                elements.setdefault(part.name, Element(Treatment.ACTS, "extension"))
    return found

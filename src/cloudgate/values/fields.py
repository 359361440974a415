"""Fields by name: what does one object say about the fields of another kind?"""

from dataclasses import fields
from typing import Any


def given(source: object, kind: type[Any]) -> dict[str, Any]:
    """What `source` says about the fields of the dataclass `kind`; what is None it does not say."""
    found = {field.name: getattr(source, field.name, None) for field in fields(kind)}
    return {name: value for name, value in found.items() if value is not None}

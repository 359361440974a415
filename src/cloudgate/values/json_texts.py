"""JSON texts: what does a text say that somebody else wrote, who may mean harm? Pure."""

import json
from typing import Any


def read(text: str | bytes) -> Any:
    """What it says.

    Raises:
        ValueError: it is no JSON, or nested deeper than it can be read.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None

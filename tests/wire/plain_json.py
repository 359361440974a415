"""JSON as the standard library writes it."""

import json as stdlib_json
from typing import Any


def plainly_written(document: Any) -> bytes:
    return stdlib_json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

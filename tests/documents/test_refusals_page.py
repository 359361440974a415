"""Has docs/refusals.md each reason that a gateway gives, word by word?"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cloudgate.manager.quotas.rules import QuotaRules, QuotaUse, full_text
from cloudgate.manager.storage.tables import CloudTenant
from cloudgate.manager.tenants import egress
from cloudgate.manager.tenants.limits import Limits
from cloudgate.values.units import MB

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "cloudgate" / "host" / "authorization"
PAGE = (ROOT / "docs" / "refusals.md").read_text("utf-8")
ROWS = [row.split(" | ")[1] for row in PAGE.splitlines() if row.startswith("| ")][1:]


def text_of(node: ast.expr) -> str:
    """The text of an expression, with a mark for what differs each time; empty when it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(each) or "\0" for each in node.values)
    return ""


def reasons() -> Iterator[tuple[str, str]]:
    """Each reason of a `Denial` in the sources, and where."""
    for file in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        named: dict[str, list[ast.expr]] = defaultdict(list)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                named[node.targets[0].id].append(node.value)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Denial":
                continue
            said = node.args[1]
            for each in named[said.id] if isinstance(said, ast.Name) else [said]:
                if text := text_of(each):
                    yield text, f"{file.name}:{node.lineno}"
    for text, where in told():
        yield re.sub(r"\d+", "\0", text), where


def told() -> Iterator[tuple[str, str]]:
    """The reasons that the manager tells gateways."""
    use = QuotaUse(1000, 1200 * MB, datetime(2026, 1, 1, tzinfo=UTC))
    yield full_text("TARGET", use, QuotaRules()), "quotas"
    limits = Limits(egress_quota_mb=1, egress_quota_hard=True).as_document()
    used_up = CloudTenant(egress_month="2026-12", egress_bytes=MB, limits=limits)
    yield egress.host_fields(used_up)["egress_full"], "egress"


def test_each_reason_of_a_refusal_stands_in_the_page() -> None:
    found = list(reasons())
    assert len(found) > 10
    missing = []
    for text, where in found:
        pattern = re.compile(re.escape(text).replace("\0", ".+"))
        if not any(pattern.fullmatch(row) for row in ROWS):
            missing.append((text, where))
    assert not missing


def test_no_row_of_the_page_is_of_a_reason_that_nobody_gives() -> None:
    patterns = [re.compile(re.escape(text).replace("\0", ".+")) for text, _ in reasons()]
    assert not [row for row in ROWS if not any(each.fullmatch(row) for each in patterns)]

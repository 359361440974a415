"""The tables of docs/monitoring.md, made of the table of metrics.

``.venv/bin/python -m tests.support.project.metrics_page`` writes them anew.
"""

import re
from pathlib import Path

from cloudgate.monitoring.metrics_table import Page, shown_on

PAGE = Path(__file__).parents[3] / "docs" / "monitoring.md"
_TABLE = re.compile(r"(<!-- metrics of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(page: Page) -> str:
    """The metrics of a page as a table."""
    lines = ["| Metric | Type | Labels | |", "|---|---|---|---|"]
    for each in shown_on(page):
        labels = ", ".join(f"`{label}`" for label in each.labels)
        lines.append(f"| `{each.name}` | {each.kind.value} | {labels} | {each.help} |")
    return "\n".join(lines) + "\n"


def written(text: str) -> str:
    """The page with its tables as they should be."""
    return _TABLE.sub(lambda found: found[1] + table(Page(found[2])) + found[3], text)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")

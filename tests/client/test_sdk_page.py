"""Does each line of docs/sdk.md do what stands below it? Run against a real manager."""

import doctest
import re
from pathlib import Path

import pytest

from tests.support.running.host import ScriptedHost, obedient
from tests.support.running.manager import PASSWORD, RunningManager

PAGE = Path(__file__).parents[2] / "docs" / "sdk.md"
HOW = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


@pytest.mark.usefixtures("manager_logs_elsewhere")
def test_the_page_is_true(running: RunningManager, host: ScriptedHost) -> None:
    text = re.sub(r"^```.*$", "", PAGE.read_text(), flags=re.MULTILINE)
    given = {"url": running.url, "ca": running.ca_file, "password": PASSWORD}
    page = doctest.DocTestParser().get_doctest(text, given, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    host.poll()
    with obedient(host):
        outcome = doctest.DocTestRunner(optionflags=HOW).run(page, out=said.append)
    assert not outcome.failed, "".join(said)
    assert outcome.attempted > 25

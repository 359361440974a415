"""Does the module for Envoy hold, whatever comes, in whatever order? Seen by sanitizers."""

import pytest

from data_path.build import compiler
from data_path.fuzz import PROGRAMS, fuzz

SECONDS = 4


@pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
@pytest.mark.parametrize(("source", "sanitizer"), PROGRAMS)
def test_nothing_that_others_send_breaks_the_module(source: str, sanitizer: str) -> None:
    fuzz(source, sanitizer, 1, SECONDS)

"""Hook of Schemathesis: which of the bodies that a description allows or forbids are sent?

The coverage phase makes a body for each way in which each value at each depth can be right or
wrong: 3,900 for one call, which differ in what tests/wire/test_agreement.py proves of each type.
Of those that vary the same property of the body in the same way, the 1st, 4th, 16th and so on are
sent, so that each property is varied in each way, at more depths where there are more.
"""

import re
from collections import Counter
from typing import Any

import schemathesis
from schemathesis import Case, HookContext
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import CoveragePhaseData

_seen: Counter[tuple[str, str, str]] = Counter()


def is_power_of_four(number: int) -> bool:
    return number.bit_count() == 1 and number.bit_length() % 2 == 1


def varied_property(data: CoveragePhaseData) -> str:
    """Name of the property of the body whose value is varied, at whatever depth."""
    found = re.match("/properties/([^/]+)", data.location or "")
    found = found or re.search("'([^']+)'", data.description)
    return found[1] if found else ""


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    del context
    data = case.meta.phase.data if case.meta else None
    if not isinstance(data, CoveragePhaseData):
        return True
    if data.parameter_location != ParameterLocation.BODY:
        return True
    key = (case.operation.label, data.scenario, varied_property(data))
    _seen[key] += 1
    return is_power_of_four(_seen[key])

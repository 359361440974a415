"""Hooks of Schemathesis: which bodies are sent, and which patterns are compiled?

The coverage phase makes a body for each way in which each value at each depth can be right or
wrong: 3,900 for one call, which differ in what tests/wire/test_agreement.py proves of each type.
Of those that vary the same property of the body in the same way, the 1st, 4th, 16th and so on are
sent, so that each property is varied in each way, at more depths where there are more.

What does not depend on the call is sent to as few calls: headers are read before it is known which
call it is. Of the ways in which a variable of a path can be wrong, each call gets the 1st and the
4th, and each path the 1st and 4th of the verbs that it does not have.

Schemathesis writes the bounds of a text's length into its pattern, unless that cannot be compiled.
One of 262,144 characters can, in 3 seconds, for each of the many schemas that it stands in: a third
of the time of all calls went there. Such a bound is left beside the pattern, where it holds, too.
"""

import re
from collections import Counter
from typing import Any

import schemathesis
from schemathesis import Case, HookContext
from schemathesis.core.jsonschema.patterns import update_quantifier
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import CoveragePhaseData, CoverageScenario
from schemathesis.specs.openapi import converter
from schemathesis.specs.openapi.coverage import _operation

MANY_CHARACTERS = 10_000
_seen: Counter[tuple[str, str, str]] = Counter()


def is_power_of_four(number: int) -> bool:
    return number.bit_count() == 1 and number.bit_length() % 2 == 1


def varied_property(data: CoveragePhaseData) -> str:
    """Name of the property of the body whose value is varied, at whatever depth."""
    found = re.match("/properties/([^/]+)", data.location or "")
    found = found or re.search("'([^']+)'", data.description)
    return found[1] if found else ""


def bounded(pattern: str, least: int | None, most: int | None) -> str:
    """A pattern with bounds of the length in it, where these are small."""
    small = max(least or 0, most or 0) < MANY_CHARACTERS
    return str(update_quantifier(pattern, least, most)) if small else pattern


for each in (converter, _operation):
    vars(each)["update_quantifier"] = bounded


def kind_of_case(call: str, data: CoveragePhaseData) -> tuple[str, str, str] | None:
    """Those of one kind show the same; None for one that is like no other."""
    match data.parameter_location:
        case ParameterLocation.BODY:
            return call, data.scenario, varied_property(data)
        case ParameterLocation.PATH:
            return call, data.scenario, data.parameter or ""
        case ParameterLocation.HEADER:
            return "", data.scenario, data.parameter or ""
    if data.scenario == CoverageScenario.UNSPECIFIED_HTTP_METHOD:
        return call.partition(" ")[2], data.scenario, ""
    return None


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    del context
    data = case.meta.phase.data if case.meta else None
    if not isinstance(data, CoveragePhaseData):
        return True
    key = kind_of_case(case.operation.label, data)
    if key is None:
        return True
    _seen[key] += 1
    return is_power_of_four(_seen[key])

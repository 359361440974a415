"""The grammar of filters: what is written is read back, what is malformed is shown its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.queries.filter import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Operator,
    parse,
    written,
)

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
COMPARISONS = st.builds(Comparison, NAMES, st.sampled_from(Operator), st.text(max_size=20))


def trees(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.builds(AllOf, several) | st.builds(AnyOf, several)


CONDITIONS = st.recursive(COMPARISONS, trees, max_leaves=8)


def without_positions(condition: Condition | None) -> Condition | None:
    if isinstance(condition, Comparison):
        return Comparison(condition.name, condition.operator, condition.value)
    if condition is None:
        return None
    kind = type(condition)
    return kind(tuple(filter(None, map(without_positions, condition.conditions))))


def equal(name: str, value: str) -> Comparison:
    return Comparison(name, Operator.EQUAL, value)


@given(CONDITIONS)
def test_what_is_written_is_read_back_the_same(condition: Condition) -> None:
    assert without_positions(parse(written(condition))) == condition


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        parse(text)
    except InvalidRequestError as refused:
        assert refused.message.startswith("filter")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("  ", None),
        ("Name==abc", equal("Name", "abc")),
        ("Name == abc ", equal("Name", "abc")),
        ('Name=="ABC Company"', equal("Name", "ABC Company")),
        ("Name==ABC Company", equal("Name", "ABC Company")),
        ('Name==""Backup""', equal("Name", '"Backup"')),
        ('Name=="""Backup"""', equal("Name", '"Backup"')),
        ('Name==""', equal("Name", "")),
        ('Name=="";A==1', AllOf((equal("Name", ""), equal("A", "1")))),
        ("FreeSpace<107374182400", Comparison("FreeSpace", Operator.LESS, "107374182400")),
        ("a<=1", Comparison("a", Operator.LESS_OR_EQUAL, "1")),
        ("a!=-1.5", Comparison("a", Operator.UNEQUAL, "-1.5")),
        (
            "At>2025-08-15T06:00:00Z",
            Comparison("At", Operator.GREATER, "2025-08-15T06:00:00Z"),
        ),
        ("a==1;b==2,c==3", AnyOf((AllOf((equal("a", "1"), equal("b", "2"))), equal("c", "3")))),
        ("a==1;(b==2,c==3)", AllOf((equal("a", "1"), AnyOf((equal("b", "2"), equal("c", "3")))))),
        (
            "(jobtype==replica;scheduleconfigured==false),(jobtype==backup)",
            AnyOf(
                (
                    AllOf((equal("jobtype", "replica"), equal("scheduleconfigured", "false"))),
                    equal("jobtype", "backup"),
                )
            ),
        ),
        ("((a==1))", equal("a", "1")),
        ('a=="x;y,(z)"', equal("a", "x;y,(z)")),
    ],
)
def test_filters_mean_what_is_published(text: str, expected: Condition | None) -> None:
    assert without_positions(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Name", "position 5: it ends here, expected == or != or < or <= or > or >="),
        ("Name=abc", "position 5: found '=abc', expected == or !="),
        ("Name==", "position 7: it ends here, expected a value"),
        ("==x", "position 1: found '==x', expected the name of a parameter"),
        ("a==1;", "position 6: it ends here, expected the name of a parameter"),
        ("a==1;;b==2", "position 6: found ';b==2', expected the name of a parameter"),
        ("(a==1", "position 6: it ends here, expected )"),
        ("a==1)", "position 5: found ')', expected ; or , or the end"),
        ('a=="x', "position 4: this quote is not closed"),
        ('a=="x"y', "position 7: found 'y', expected ; or , or the end"),
        ("(" * 100 + "a==1" + ")" * 100, "at most 64 brackets"),
        ("a==" + "x" * 20000, "expected at most 16384"),
        (",".join(["a==1"] * 501), "position 2501: expected at most 500 comparisons"),
    ],
)
def test_a_malformed_filter_is_shown_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse(text)
    assert message in refused.value.message


def test_each_comparison_knows_its_place() -> None:
    found = parse("a==1; bc==2")
    assert isinstance(found, AllOf)
    assert [each.position for each in found.conditions if isinstance(each, Comparison)] == [1, 7]

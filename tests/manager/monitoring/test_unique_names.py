"""Is each thing on a page of metrics called by a name of its own, whatever names there are?"""

from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.manager.monitoring.unique_names import UniqueNames

KEYS = [UUID(int=number << 90 | number).hex for number in range(40)]
NAMES = st.lists(st.sampled_from(["a", "a (00000000)", f"a ({KEYS[1]})", "b"]), max_size=40)


@given(NAMES, st.booleans())
@example(["a (00000000)", "a", "a", "a"], False)
def test_no_two_have_one_name(names: list[str], is_shared: bool) -> None:
    unique = UniqueNames()
    found = [
        unique.of(name, key, is_shared=is_shared) for name, key in zip(names, KEYS, strict=False)
    ]
    assert len(set(found)) == len(found)


def test_among_several_sites_names_may_be_alike() -> None:
    unique = UniqueNames()
    assert [unique.of("a", KEYS[0], site) for site in ("s", "t", "s")] == ["a", "a", "a (00000000)"]

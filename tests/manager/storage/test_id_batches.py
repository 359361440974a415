"""Are all ids asked for, each once and in order, and no more by one query than it takes?"""

from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.manager.storage.id_batches import AT_ONCE, id_batches


@given(st.integers(0, 3 * AT_ONCE))
@example(AT_ONCE)
@example(AT_ONCE + 1)
def test_ids_come_in_their_order_and_in_pieces_that_a_query_takes(count: int) -> None:
    pieces = list(id_batches(range(count)))
    assert [each for piece in pieces for each in piece] == list(range(count))
    assert all(0 < len(piece) <= AT_ONCE for piece in pieces)

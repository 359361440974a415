"""Does a page of metrics come back from gzip as it was, whatever it says?"""

import gzip
import zlib

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.monitoring.compression import compressed

LINES = st.lists(st.sampled_from([b"# HELP a b\n", b"# HELP", b"\n", b"a 1\n", b"", b"\x00\xff"]))


@given(LINES)
@example([])
@example([b"# HELP a b\n" * 5])
@example([b""])
@example([b"a" * 300_000, b"\n# HELP b c\n", b"b" * 300_000])
def test_what_is_made_small_is_the_page(some: list[bytes]) -> None:
    page = b"".join(some)
    small = anyio.run(compressed, some)
    assert gzip.decompress(small) == page
    # One member alone: not every program that reads gzip goes on after the first.
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert reader.decompress(small) == page
    assert reader.eof
    assert not reader.unused_data


@pytest.mark.anyio
async def test_a_page_of_many_lines_alike_becomes_small() -> None:
    families = [
        "".join(
            f'{name}{{gateway="gw{number}.example",site="s"}} {number}\n' for number in range(1000)
        )
        for name in ("a_total", "b_total", "c_total")
    ]
    page = [f"# HELP x y\n{each}".encode() for each in families]
    assert len(await compressed(page)) < sum(map(len, page)) / 8

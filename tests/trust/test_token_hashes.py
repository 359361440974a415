"""Is of a token kept what does not tell it, and is the same for the same one?"""

from hypothesis import given
from hypothesis import strategies as st

from cloudgate.trust.token_hashes import token_hash


def test_it_is_sha_256_as_earlier_releases_have_kept_it() -> None:
    assert token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.text())
def test_it_has_one_form_that_fits_its_column(token: str) -> None:
    kept = token_hash(token)
    assert len(kept) == 64
    assert kept == kept.lower() == token_hash(token)

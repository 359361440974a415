"""Sealed files: is what comes out what went in, and is nothing believed that was changed?"""

import hashlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudgate.errors import CloudgateError
from cloudgate.manager.security.sealed_files import (
    FRAME_BYTES,
    MAGIC,
    SealedReader,
    SealedWriter,
    SealingSecret,
    key_of_file,
    passphrase_of_file,
    passphrase_secret,
)

KEY = SealingSecret(b"k" * 32, is_passphrase=False)


def seal(content: bytes, secret: SealingSecret = KEY, step: int = 10_000) -> bytes:
    target = io.BytesIO()
    writer = SealedWriter(target, secret, "backup", {"release": "1"})
    for start in range(0, len(content), step):
        writer.write(content[start : start + step])
    writer.finish()
    return target.getvalue()


def opened(sealed: bytes, secret: SealingSecret = KEY, kind: str = "backup") -> bytes:
    reader = SealedReader(io.BytesIO(sealed), secret, kind, "f", "a backup of Cloudgate")
    return io.BufferedReader(reader).read()


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 200_000])
def test_what_was_sealed_is_opened(size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    assert opened(seal(content)) == content


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_byte_may_change_and_no_end_be_missing_or_be_too_long(data: st.DataObject) -> None:
    sealed = bytearray(_SEALED)
    where = data.draw(st.integers(0, len(sealed) - 1))
    match data.draw(st.sampled_from(["change", "cut", "more", "exchange"])):
        case "change":
            sealed[where] ^= data.draw(st.integers(1, 255))
        case "cut":
            del sealed[where:]
        case "more":
            sealed += data.draw(st.binary(min_size=1, max_size=100))
        case _:
            first, frame = len(sealed) % (FRAME_BYTES + 16), FRAME_BYTES + 16
            sealed[first : first + 2 * frame] = (
                sealed[first + frame : first + 2 * frame] + sealed[first : first + frame]
            )
    with pytest.raises(CloudgateError, match=r"damaged|not a backup|was made by a newer release"):
        opened(bytes(sealed))


_SEALED = seal(bytes(3 * FRAME_BYTES - 100))


def test_another_secret_is_told_from_damage_and_the_right_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(CloudgateError, match="another key file"):
        opened(_SEALED, SealingSecret(b"x" * 32, is_passphrase=False))
    by_passphrase = seal(b"content", passphrase_secret("correct horse"))
    assert opened(by_passphrase, passphrase_secret("correct horse")) == b"content"
    with pytest.raises(CloudgateError, match="another passphrase"):
        opened(by_passphrase, passphrase_secret("correct house"))
    with pytest.raises(CloudgateError, match="--passphrase-file"):
        opened(by_passphrase)
    with pytest.raises(CloudgateError, match="--key-file"):
        opened(_SEALED, passphrase_secret("correct horse"))
    file = tmp_path / "passphrase"
    file.write_text("correct horse\n")
    assert opened(by_passphrase, passphrase_of_file(file)) == b"content"


def test_each_file_has_a_key_of_its_own() -> None:
    assert seal(b"same")[-20:] != seal(b"same")[-20:]


def with_head(**more: object) -> bytes:
    _, head, rest = _SEALED.split(b"\n", 2)
    return headed(json.dumps({**json.loads(head), **more}).encode(), rest[64:])


def headed(line: bytes, rest: bytes = b"") -> bytes:
    proof = bytes(32)
    return MAGIC + line + b"\n" + proof + hashlib.sha256(MAGIC + line + proof).digest() + rest


@pytest.mark.parametrize(
    ("sealed", "said"),
    [
        (b"", "not a backup of Cloudgate"),
        (b"SQLite format 3\0 and more", "not a backup of Cloudgate"),
        (MAGIC, "damaged"),
        (MAGIC + b"{}\n", "damaged"),
        (headed(b"[]"), "damaged"),
        (headed(b"{}"), "damaged"),
        (headed(b"?"), "damaged"),
        (MAGIC + b"x" * 100_000, "damaged"),
        (with_head(version=2), "newer release"),
        (with_head(version="1"), "damaged"),
        (with_head(kind="secrets"), "holds 'secrets'"),
        (with_head(frame_bytes=2**40), "damaged"),
        (with_head(key={"name": "scrypt", "n": 2**30, "r": 8, "p": 1, "salt": "AAAA"}), "damaged"),
        (with_head(key={"name": "scrypt", "n": 1000, "r": 8, "p": 1, "salt": "AAAA"}), "damaged"),
        (with_head(key={"name": "other", "salt": "AAAA"}), "damaged"),
        (with_head(key="?"), "damaged"),
    ],
)
def test_what_is_something_else_is_said_to_be(sealed: bytes, said: str) -> None:
    with pytest.raises(CloudgateError, match=said):
        opened(sealed)


@pytest.mark.parametrize("content", [b"short", b"", b"\xff" * 40])
def test_a_passphrase_that_protects_nothing_is_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    with pytest.raises(CloudgateError, match=r"less than 12 characters|--key-file"):
        passphrase_of_file(file)


def test_a_key_file_is_long_enough_and_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(CloudgateError, match="No such file"):
        key_of_file(tmp_path / "none")
    (tmp_path / "key").write_bytes(b"x" * 31)
    with pytest.raises(CloudgateError, match=r"\(umask 077; .*/dev/urandom > "):
        key_of_file(tmp_path / "key")
    (tmp_path / "key").write_bytes(b"x" * 2_000_000)
    with pytest.raises(CloudgateError, match="the right file"):
        key_of_file(tmp_path / "key")

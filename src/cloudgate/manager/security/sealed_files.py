"""Sealed files: how does a file hold secrets that only who has a passphrase or a key file reads?

A line that names the format; a line of JSON that says how the key is made; a proof of the key, and
a SHA-256 of these; and the content in frames, each sealed with AES-256-GCM (NIST SP 800-38D). The
nonce of a frame is its number, and whether it is the last one, as in STREAM (Hoang, Reyhanitabar,
Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance, section 7):
frames cannot be changed, exchanged, repeated or left out. The key is for one file alone: scrypt
(RFC 7914) makes it of a passphrase, HKDF (RFC 5869) of a key file, each with a salt of its own.
"""

import base64
import hashlib
import hmac
import io
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from cloudgate.errors import CloudgateError
from cloudgate.named_files import data_of

MAGIC = b"cloudgate-sealed-file\n"
VERSION = 1
"""Of the format. Readers refuse larger ones."""
FRAME_BYTES = 64 * 1024
SHORTEST_PASSPHRASE = 12
SHORTEST_KEY_BYTES = 32
_LONGEST_KEY_BYTES = 1024 * 1024
_KEY_BYTES, _TAG_BYTES, _SALT_BYTES, _DIGEST_BYTES = 32, 16, 16, 32
_LONGEST_HEAD_BYTES = 64 * 1024
_SCRYPT_COST, _SCRYPT_BLOCK, _SCRYPT_PARALLEL = 2**17, 8, 1
_MOST_SCRYPT_COST = 2**20
"""With blocks of 8, a gibibyte of memory: no file is believed that asks for more."""


@dataclass(frozen=True, repr=False)
class SealingSecret:
    """What a file is sealed with."""

    secret: bytes
    is_passphrase: bool


def passphrase_secret(text: str) -> SealingSecret:
    """A passphrase that somebody typed.

    Raises:
        CloudgateError: it is too short to protect anything.
    """
    if len(text) < SHORTEST_PASSPHRASE:
        raise CloudgateError(
            f"The passphrase has less than {SHORTEST_PASSPHRASE} characters: who has the file could"
            " guess it. Take a longer one."
        )
    return SealingSecret(text.encode(), is_passphrase=True)


def passphrase_of_file(file: Path) -> SealingSecret:
    """The passphrase in a file; blanks and line ends around it do not count.

    Raises:
        CloudgateError: there is none, or it is too short.
    """
    try:
        return passphrase_secret(_content(file).decode("utf-8").strip())
    except UnicodeDecodeError:
        raise CloudgateError(
            f"The passphrase file {file} is not UTF-8 text. A file of random bytes is named by"
            " --key-file."
        ) from None


def key_of_file(file: Path) -> SealingSecret:
    """The key in a file: all its bytes.

    Raises:
        CloudgateError: it cannot be read, or has too few bytes.
    """
    content = _content(file)
    if len(content) < SHORTEST_KEY_BYTES:
        raise CloudgateError(
            f"The key file {file} has {len(content)} bytes, and {SHORTEST_KEY_BYTES} random ones at"
            f" least are needed: (umask 077; head -c {SHORTEST_KEY_BYTES} /dev/urandom > {file})"
        )
    return SealingSecret(content, is_passphrase=False)


def sealing_secret(
    passphrase_file: Path | None, key_file: Path | None, options: str = "--"
) -> SealingSecret:
    """What one of two files holds. `options`: what the names of their options begin with.

    Raises:
        CloudgateError: both are named, or neither; or it cannot be had.
    """
    if (passphrase_file is None) == (key_file is None):
        raise CloudgateError(f"Give {options}passphrase-file or {options}key-file, one of them.")
    if key_file is not None:
        return key_of_file(key_file)
    return passphrase_of_file(passphrase_file or Path())


def _content(file: Path) -> bytes:
    content = data_of(file, most_bytes=_LONGEST_KEY_BYTES + 1)
    if len(content) > _LONGEST_KEY_BYTES:
        raise CloudgateError(f"{file} is larger than a mebibyte: is it the right file?")
    return content


class SealedWriter(io.RawIOBase):
    """Seals what is written to it; `finish` ends it. What was not finished is never opened."""

    def __init__(
        self, target: BinaryIO, secret: SealingSecret, kind: str, about: Mapping[str, str]
    ) -> None:
        """`about` stands in the file for all to read, and cannot be changed."""
        super().__init__()
        self._target = target
        salt = secrets.token_bytes(_SALT_BYTES)
        made_by = (
            {"name": "scrypt", "n": _SCRYPT_COST, "r": _SCRYPT_BLOCK, "p": _SCRYPT_PARALLEL}
            if secret.is_passphrase
            else {"name": "hkdf"}
        )
        by = {**made_by, "salt": base64.b64encode(salt).decode()}
        head = {
            "version": VERSION,
            "kind": kind,
            **about,
            "key": by,
            "frame_bytes": FRAME_BYTES,
        }
        line = json.dumps(head, separators=(",", ":")).encode()
        key = _derive(secret, by)
        self._frames = _Frames(key, line)
        self._buffer = bytearray()
        proof = _proof(line, key)
        target.write(MAGIC + line + b"\n" + proof + _digest(line + proof))

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes."""
        piece = bytes(data)
        self._buffer += piece
        while len(self._buffer) > FRAME_BYTES:  # the last frame is never empty, if any is full
            self._target.write(self._frames.seal(bytes(self._buffer[:FRAME_BYTES]), last=False))
            del self._buffer[:FRAME_BYTES]
        return len(piece)

    def finish(self) -> None:
        """Write the last frame."""
        self._target.write(self._frames.seal(bytes(self._buffer), last=True))
        self._buffer.clear()


class SealedReader(io.RawIOBase):
    """Opens what `SealedWriter` has sealed; nothing that was changed is ever returned."""

    def __init__(
        self, source: BinaryIO, secret: SealingSecret, kind: str, name: str, called: str
    ) -> None:
        """Read the head.

        Args:
            source: the file.
            secret: what it is said to be sealed with.
            kind: what has to be in it.
            name: of the file, for messages.
            called: what it has to be, for messages: "a backup of Cloudgate".

        Raises:
            CloudgateError: it is something else, damaged, of a newer release, or sealed with
                another secret.
        """
        super().__init__()
        self._source, self._name = source, name
        line, proof, head = _head(source, kind, name, called)
        self.about: Mapping[str, str] = {
            key: value for key, value in head.items() if isinstance(value, str)
        }
        by_passphrase = head["key"]["name"] == "scrypt"
        if by_passphrase != secret.is_passphrase:
            option = "--passphrase-file" if by_passphrase else "--key-file"
            raise CloudgateError(
                f"{name} is sealed with a {'passphrase' if by_passphrase else 'key file'}: name it"
                f" with {option}."
            )
        key = _derive(secret, head["key"])
        if not hmac.compare_digest(proof, _proof(line, key)):
            what = "passphrase" if by_passphrase else "key file"
            raise CloudgateError(
                f"{name} was sealed with another {what}. Nothing can open it without the right one."
            )
        self._frames = _Frames(key, line)
        self._frame_bytes = int(head["frame_bytes"]) + _TAG_BYTES
        self._ahead = source.read(self._frame_bytes)
        self._plain = b""
        self._is_over = False

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give as many bytes as fit, at most a frame.

        Raises:
            CloudgateError: the file was cut or changed.
        """
        while not self._plain and not self._is_over:
            self._next_frame()
        count = min(len(buffer), len(self._plain))
        buffer[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count

    def _next_frame(self) -> None:
        sealed, self._ahead = self._ahead, self._source.read(self._frame_bytes)
        try:
            self._plain = self._frames.open(sealed, last=not self._ahead)
        except InvalidTag:
            raise _damaged(self._name) from None
        self._is_over = not self._ahead


class _Frames:
    """Seals and opens frames in their order; all belong to one head."""

    def __init__(self, key: bytes, line: bytes) -> None:
        self._cipher = AESGCM(key)
        self._line = line
        self._number = 0

    def seal(self, plain: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(last=last), plain, self._line)

    def open(self, sealed: bytes, *, last: bool) -> bytes:
        if len(sealed) < _TAG_BYTES:
            raise InvalidTag
        return self._cipher.decrypt(self._nonce(last=last), sealed, self._line)

    def _nonce(self, *, last: bool) -> bytes:
        number, self._number = self._number, self._number + 1
        return number.to_bytes(11, "big") + bytes([last])


def _digest(content: bytes) -> bytes:
    """Tells a head that was damaged by chance from a secret that is another one."""
    return hashlib.sha256(MAGIC + content).digest()


def _proof(line: bytes, key: bytes) -> bytes:
    """What only who has the key can say of a head."""
    return hmac.digest(key, b"key of " + line, "sha256")


def _derive(secret: SealingSecret, by: Mapping[str, Any]) -> bytes:
    salt = base64.b64decode(by["salt"])
    if by["name"] == "scrypt":
        cost = (by["n"], by["r"], by["p"])
        return Scrypt(salt, _KEY_BYTES, *cost).derive(secret.secret)
    return HKDF(hashes.SHA256(), _KEY_BYTES, salt, b"cloudgate sealed file").derive(secret.secret)


def _head(
    source: BinaryIO, kind: str, name: str, called: str
) -> tuple[bytes, bytes, dict[str, Any]]:
    if source.read(len(MAGIC)) != MAGIC:
        raise CloudgateError(
            f"{name} is not {called}: it does not begin as one. Name another file."
        )
    line = source.readline(_LONGEST_HEAD_BYTES)
    if not line.endswith(b"\n"):
        raise _damaged(name)
    line, proof = line.removesuffix(b"\n"), source.read(_DIGEST_BYTES)
    if source.read(_DIGEST_BYTES) != _digest(line + proof):
        raise _damaged(name)
    try:
        head = json.loads(line)
        version, found = head["version"], head["kind"]
    except (ValueError, KeyError, TypeError):
        raise _damaged(name) from None
    if isinstance(version, int) and version > VERSION:
        raise CloudgateError(
            f"{name} was made by a newer release: it has version {version} of the format, and this"
            f" release knows {VERSION} at most. Use the release that made it, or a newer one."
        )
    if found != kind:
        raise CloudgateError(f"{name} is not {called}, but holds {found!r}. Name another file.")
    if not _is_sound(head):
        raise _damaged(name)
    return line, proof, head


def _is_sound(head: Mapping[str, Any]) -> bool:
    """Whether what has to be there is, and asks for no more memory than it may."""
    by, frame = head.get("key"), head.get("frame_bytes")
    if not isinstance(by, dict) or frame != FRAME_BYTES or head["version"] != VERSION:
        return False
    try:
        base64.b64decode(by["salt"], validate=True)
    except (KeyError, ValueError, TypeError):
        return False
    if by.get("name") != "scrypt":
        return by.get("name") == "hkdf"
    cost = by.get("n")
    is_power = isinstance(cost, int) and 1 < cost <= _MOST_SCRYPT_COST and cost & (cost - 1) == 0
    return is_power and (by.get("r"), by.get("p")) == (_SCRYPT_BLOCK, _SCRYPT_PARALLEL)


def _damaged(name: str) -> CloudgateError:
    return CloudgateError(
        f"{name} is damaged, or was cut short: it is not what was written. Take another copy of it,"
        " or an older backup. Nothing was changed."
    )

"""Sealing: how are secrets kept that are needed again? With a key outside the database.

AES-256-GCM (NIST SP 800-38D). Each ciphertext is bound to what it belongs to: it cannot be opened
as something else's.
"""

import base64
import hmac
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cloudgate.atomic_files import write_private
from cloudgate.errors import CloudgateError

_KEY_BYTES, _NONCE_BYTES = 32, 12


class SealingKey:
    """Seals and opens secrets."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._marking_key = hmac.digest(key, b"cloudgate marks", "sha256")

    def seal(self, secret: str, owner: str) -> str:
        """A secret that only `open` reads, given the same owner."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret.encode(), owner.encode())
        return base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, owner: str) -> str:
        """The secret.

        Raises:
            CloudgateError: it was sealed with another key or for another owner, or is damaged.
        """
        raw = base64.b64decode(sealed)
        try:
            plain = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode())
        except InvalidTag:
            raise CloudgateError(
                f"The secret of {owner} cannot be opened: it was sealed with another key."
            ) from None
        return plain.decode()

    def sign(self, text: str, purpose: str) -> str:
        """What only who has the key can say of a text (HMAC-SHA-256, RFC 2104), as hexadecimal."""
        return hmac.digest(self._marking_key, f"{purpose}:{text}".encode(), "sha256").hex()

    def verify(self, mark: str, text: str, purpose: str) -> bool:
        """Whether `mark` is what `mark` said of that text."""
        return hmac.compare_digest(mark, self.sign(text, purpose))


def open_sealing(folder: Path) -> SealingKey:
    """The sealing of a data folder, whose key is made where there is none.

    Whether there may be none is for `cloudgate.manager.security.installation` to say.

    Raises:
        CloudgateError: the key cannot be read or written.
    """
    file = folder / "sealing.key"
    try:
        if not file.exists():
            write_private(file, secrets.token_bytes(_KEY_BYTES))
        key = file.read_bytes()
    except OSError as problem:
        raise CloudgateError(f"Cannot use the key file {file}: {problem.strerror}.") from None
    if len(key) != _KEY_BYTES:
        raise CloudgateError(f"The key file {file} is damaged: put it back from a backup.")
    return SealingKey(key)

"""Token hashes: what is kept of a token that was drawn at random? Pure."""

import hashlib


def token_hash(token: str) -> str:
    """Its SHA-256, in hexadecimal: what has 128 random bits needs no slower one."""
    return hashlib.sha256(token.encode()).hexdigest()

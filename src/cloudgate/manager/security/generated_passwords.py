"""Generated passwords: what does one look like that nobody can guess?"""

import secrets


def generate_password() -> str:
    """A password that nobody can guess."""
    return secrets.token_urlsafe(18)

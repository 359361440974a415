r"""Is it known whose a login name is, with a backslash as with a slash?"""

import pytest

from cloudgate.values import login_names


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("acme", ("acme", None)),
        ("", ("", None)),
        (r"acme\bob", ("acme", "bob")),
        ("acme/bob", ("acme", "bob")),
        (r"acme\bob/x\y", ("acme", r"bob\x\y")),
        ("acme\\", ("acme", "")),
        (r"\bob", ("", "bob")),
    ],
)
def test_the_first_separator_parts_tenant_and_user(
    name: str, whose: tuple[str, str | None]
) -> None:
    assert login_names.read(name) == whose

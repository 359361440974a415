"""Does the directory follow the changes, and survive what happens to its file?"""

import stat
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.state.principal import Principal
from cloudgate.host.state.tenant_directory import TenantDirectory, Tenants
from cloudgate.protocol import DirectoryChange, Tenant, User

names = st.text(min_size=1, max_size=5)
ids = st.integers(1, 5).map(lambda each: UUID(int=each))
# Names are unique among tenants, as the manager promises.
tenants = st.builds(
    lambda number, name, enabled: Tenant(
        tenant_id=UUID(int=number), name=f"{number}{name}", password_hash="", enabled=enabled
    ),
    st.integers(1, 5),
    names,
    st.booleans(),
)
steps = st.lists(st.tuples(st.lists(tenants, max_size=4), st.lists(ids, max_size=3)))


@given(steps)
def test_applying_changes_equals_the_whole(
    changes: list[tuple[list[Tenant], list[UUID]]],
) -> None:
    followed, expected = Tenants(), dict[UUID, Tenant]()
    for revision, (changed, removed) in enumerate(changes, 1):
        change = DirectoryChange(
            from_revision=revision - 1,
            revision=revision,
            tenants=tuple(changed),
            removed=() if revision == 1 else tuple(removed),
        )
        after = followed.after(change)
        assert after is not None
        followed = after
        for each in change.removed:
            expected.pop(each, None)
        expected.update((each.tenant_id, each) for each in changed)
    assert followed.by_id == expected
    assert Tenants().after(followed.whole()) == followed


def acme(**changes: object) -> Tenant:
    usual = {"tenant_id": UUID(int=1), "name": "Acme", "password_hash": "x"}
    return Tenant.model_validate({**usual, **changes})


def test_a_tenant_is_found_however_its_name_is_written(tmp_path: Path) -> None:
    directory = TenantDirectory(tmp_path / "d")
    directory.apply(DirectoryChange(from_revision=0, revision=3, tenants=(acme(),)))
    assert directory.find("aCME") == Principal(acme())
    assert directory.find("other") is None


@pytest.mark.parametrize("name", ["Acme\\Anna", "acme\\ANNA", "ACME/anna"])
def test_a_user_is_found_by_its_tenants_name_and_its_own(tmp_path: Path, name: str) -> None:
    anna = User(user_id=UUID(int=7), name="Anna", password_hash="y")
    directory = TenantDirectory(tmp_path / "d")
    tenants = (acme(users=(anna,)),)
    directory.apply(DirectoryChange(from_revision=0, revision=3, tenants=tenants))
    assert directory.find(name) == Principal(tenants[0], anna)
    assert directory.find("acme\\other") is None
    assert directory.find("other\\anna") is None


def test_a_renamed_tenant_is_not_found_by_its_old_name(tmp_path: Path) -> None:
    directory = TenantDirectory(tmp_path / "d")
    directory.apply(DirectoryChange(from_revision=0, revision=1, tenants=(acme(),)))
    directory.apply(DirectoryChange(from_revision=1, revision=2, tenants=(acme(name="New"),)))
    assert directory.find("acme") is None
    assert directory.find("new") is not None


def test_what_was_applied_is_there_after_a_restart_and_private(tmp_path: Path) -> None:
    path = tmp_path / "d"
    TenantDirectory(path).apply(DirectoryChange(from_revision=0, revision=3, tenants=(acme(),)))
    assert TenantDirectory(path).find("acme") == Principal(acme())
    assert TenantDirectory(path).revision == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["", "{", '{"revision": 1}', "\udcff"])
def test_a_damaged_file_is_asked_for_anew_without_quoting_it(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "d"
    path.write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert TenantDirectory(path).revision == 0
    assert "damaged" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["", "{", '{"revision": 1}', "\udcff"])
def test_when_a_disk_has_damaged_the_file_the_state_before_it_is_used(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "d"
    directory = TenantDirectory(path)
    for revision in (3, 4):
        directory.apply(DirectoryChange(from_revision=0, revision=revision, tenants=(acme(),)))
    path.write_bytes(damage.encode("utf-8", "surrogateescape"))
    after = TenantDirectory(path)
    assert after.revision == 3
    assert after.find("acme") == Principal(acme())
    assert "damaged" in capsys.readouterr().out
    after.apply(DirectoryChange(from_revision=3, revision=5, removed=(acme().tenant_id,)))
    assert TenantDirectory(path).revision == 5


def test_a_change_from_another_revision_is_left_alone(tmp_path: Path) -> None:
    directory = TenantDirectory(tmp_path / "d")
    directory.apply(DirectoryChange(from_revision=0, revision=3, tenants=(acme(),)))
    directory.apply(DirectoryChange(from_revision=4, revision=5, removed=(UUID(int=1),)))
    assert directory.revision == 3
    assert directory.find("acme") is not None


def test_what_is_taken_from_a_gateway_is_in_none_of_its_files(tmp_path: Path) -> None:
    path, secret = tmp_path / "d", "$argon2id$secret"
    known = acme(password_hash=secret)
    directory = TenantDirectory(path)
    directory.apply(DirectoryChange(from_revision=0, revision=3, tenants=(known,)))
    directory.apply(DirectoryChange(from_revision=3, revision=4, tenants=(known,)))
    held = [each for each in tmp_path.iterdir() if secret in each.read_text()]
    assert len(held) == 2, "the file, and the one before it"
    bare = Tenant(tenant_id=known.tenant_id, name="x", password_hash="")
    directory.apply(DirectoryChange(from_revision=4, revision=5, tenants=(bare,)))
    assert not [each for each in tmp_path.iterdir() if secret in each.read_text()]
    assert TenantDirectory(path).revision == 5
    directory.apply(DirectoryChange(from_revision=5, revision=6, tenants=(known,)))
    directory.apply(DirectoryChange(from_revision=0, revision=7))
    assert not [each for each in tmp_path.iterdir() if secret in each.read_text()]

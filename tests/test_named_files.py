"""Is who has named a file told of what cannot be read, and why, whatever the command?"""

from pathlib import Path

import pytest

from cloudgate.errors import InvalidRequestError
from cloudgate.named_files import data_of, opened, text_of


def test_a_file_is_read_as_it_is_or_as_text_with_one_kind_of_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "named"
    file.write_bytes("grün\r\nblau\rrot\n".encode())
    assert text_of(file) == "grün\nblau\nrot\n" == file.read_text("utf-8")
    assert data_of(file) == file.read_bytes()
    assert data_of(file, most_bytes=3) == file.read_bytes()[:3]
    with opened(file) as reader:
        assert reader.readline() == "grün\r\n".encode()


@pytest.mark.parametrize("what", ["", "the password file"])
def test_what_cannot_be_read_is_said_with_its_name_and_the_reason(
    tmp_path: Path, what: str
) -> None:
    for file, reason in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (Path("/proc/self/mem"), "Input/output error"),  # it opens, and has nothing to read
    ):
        for read in (text_of, data_of):
            with pytest.raises(InvalidRequestError) as refused:
                read(file, what)
            assert refused.value.message == f"Cannot read {f'{what} {file}'.strip()}: {reason}."


def test_what_is_no_text_is_said(tmp_path: Path) -> None:
    file = tmp_path / "named"
    file.write_bytes(b"\xff\xfe")
    for what, named in (("", str(file)), ("the password file", f"The password file {file}")):
        with pytest.raises(InvalidRequestError) as refused:
            text_of(file, what)
        assert refused.value.message == f"{named} is not UTF-8 text."

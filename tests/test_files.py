"""Files are there whole or not at all."""

import pytest

from hpo.errors import HpoError, TrialNotFound
from hpo.files import write_whole


def test_a_file_is_replaced_when_all_of_it_has_come(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_bytes(b"before")
    seen = []

    def pieces():
        for piece in (b"number\n", b"1\n"):
            yield piece
            seen.append(path.read_bytes())

    write_whole(path, pieces())

    assert seen == [b"before", b"before"]
    assert path.read_bytes() == b"number\n1\n"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_when_the_pieces_end_in_an_error(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_bytes(b"before")

    def pieces():
        yield b"number\n"
        raise TrialNotFound

    with pytest.raises(TrialNotFound):
        write_whole(path, pieces())

    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("folder", "why"), [("nowhere", "No such file or directory"), ("file", "Not a directory")]
)
def test_a_folder_that_is_none_is_told(tmp_path, folder, why):
    (tmp_path / "file").touch()

    with pytest.raises(HpoError, match=f"trials.csv' cannot be written: {why}"):
        write_whole(tmp_path / folder / "trials.csv", [b""])

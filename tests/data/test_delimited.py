"""CSV and TSV as they come: encodings, delimiters, commas, quotes; and what cannot be read."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest

from hpo.data import delimited
from hpo.errors import DataError

ROWS = [(f"{i}.5", "blue" if i % 3 else "röd", i % 2) for i in range(30)]


def text(delimiter=",", comma=False):
    cells = [("width", "colour", "y"), *((a.replace(".", ",") if comma else a, b, c) for a, b, c in ROWS)]
    return "\n".join(delimiter.join(map(str, row)) for row in cells)


def width_of(prepared):
    return prepared.scaled["none"].training.folds[0][0].x[:, 0]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (text().encode(), "a.csv"),
        (b"\xef\xbb\xbf" + text().encode(), "bom.csv"),
        (text().encode("utf-16"), "utf16.csv"),
        (text().replace("\n", "\r\n").encode(), "dos.csv"),
        (text().replace("\n", "\r").encode(), "mac.csv"),
        (text(";").encode(), "semicolon.csv"),
        (text(";", comma=True).encode(), "comma.csv"),
        (text("|").encode(), "bar.txt"),
        (text("\t", comma=True).encode(), "a.tsv"),
        (gzip.compress(text().encode()), "a.csv.gz"),
        (gzip.compress(text("\t").encode()), "a.tsv.gz"),
        (gzip.compress(text().encode()), "no_suffix"),
        (text().replace("blue", '"blue"').encode(), "quoted.csv"),
        (text().replace("\n", "\n\n").encode(), "blank-lines.csv"),
        (text().replace(",", " , ").encode(), "spaces.csv"),
    ],
)
def test_the_same_table_in_any_dress_gives_the_same_arrays(bench, content, name):
    expected = bench.csv(text(), name="plain.csv")

    prepared = bench.csv(content, name=name)

    assert np.array_equal(
        prepared.scaled["none"].training.folds[0][0].x, expected.scaled["none"].training.folds[0][0].x
    )
    assert prepared.info.columns == expected.info.columns
    assert prepared.info.sha256 == hashlib.sha256(content).hexdigest()


def test_latin_1_is_read_and_said(bench):
    prepared = bench.csv(text().encode("latin-1"))

    assert prepared.scaled["none"].preprocessing[0]["categories"][0]["levels"] == ["blue", "röd"]
    assert any("Latin-1" in note for note in prepared.info.notes)


def test_grouped_thousands_with_decimal_commas_are_numbers(bench):
    content = "a;y\n" + "\n".join(f"1.234,{i};{i % 2}" for i in range(20))

    x = bench.csv(content).scaled["none"].training.folds[0][0].x

    assert set(np.floor(x[:, 0])) == {1234.0}


def test_quoted_cells_may_hold_delimiters_quotes_and_line_breaks():
    table = delimited.read(b'a,y\n"x,""1""\nnext",2\nplain,3\n', ".csv")

    assert table.column("a").levels == ('x,"1"\nnext', "plain")


def test_a_file_may_end_in_a_quoted_cell_of_several_lines():
    assert delimited.read(b'a,y\n1,"x\ny"', ".csv").column("y").levels == ("x\ny",)


def test_a_column_without_a_name_gets_one():
    assert delimited.read(b",a\n1,2\n", ".csv").names == ("column_1", "a")


def test_a_wide_table_keeps_its_columns():
    names = ",".join(f"c{i}" for i in range(3000))

    assert len(delimited.read(f"{names}\n{','.join('1' * 3000)}\n".encode(), ".csv").names) == 3000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"a,b,y\n", "header but no rows"),
        (b"a,y,a\n1,2,3\n", "two columns called 'a'; rename one of them"),
        (b"0,5.1,0\n1,2,3\n", "two columns called '0'; begin the file with a line of column names"),
        (b"a,b,y\n1,2,3\n4,5\n6,7,8\n", "3 columns, but row 2 has 2 of them"),
        (b"a,y\n1,2,3\n4,5,6\n", "2 columns, but row 1 has 3 of them, and 1 more"),
        (b'a,y\n1,2\n3,"4\n5,6\n7,8\n', "a quote in row 2 that is never closed"),
        (b'a,y\n1,2\n"3,4\n5,6\n', "close every quote"),
        (b"a,b,y", "header but no rows"),
        (b"a,y\n\x00\x01,\x02\n", "not a text file"),
        (b"\xff\xfea", "is not UTF-16"),
        (b"\x1f\x8b\x08junk", "damaged .gz"),
        ((",".join(f"c{i}" for i in range(10_001)) + "\n1\n").encode(), "10,001 columns; at most 10,000"),
    ],
)
def test_what_is_no_table_is_refused_with_the_file_and_the_reason(bench, content, words):
    with pytest.raises(DataError, match=words) as error:
        bench.csv(content)

    assert error.value.field == "data.source"
    assert error.value.detail.startswith("data.csv ")

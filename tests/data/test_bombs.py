"""Files that say little and unpack to much, or that promise what they do not hold: refused before memory is full."""

import gzip
import io
import random
import resource
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from hpo.data.prepare import describe
from hpo.data.readers import read_content
from hpo.errors import DataError
from hpo.study import DataSpec

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _little_memory():
    """More than this test's process has now and 1.5 GiB, and python says MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + 1536 * MIB
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def written(table, **options):
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, **options)
    return buffer.getvalue()


def test_a_gzip_bomb_is_refused_with_what_it_unpacks_to():
    packed = gzip.compress(b"1,2,3\n" * (MIB // 6)) * 2000

    with pytest.raises(DataError, match=r"unpacks to \d+ MiB or more, of a file of \d\.\d MiB"):
        read_content(packed, "bomb.csv.gz")


def test_a_table_that_packs_well_is_read():
    text = "a,b\n" + "0,0\n" * 500_000

    assert read_content(gzip.compress(text.encode()), "sparse.csv.gz").n_rows == 500_000


def test_an_npz_that_unpacks_to_too_much_is_refused_unread():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("x", "y"):
            with archive.open(f"{name}.npy", "w") as file:
                for _ in range(150):
                    file.write(bytes(MIB))

    with pytest.raises(DataError, match="unpacks to 300 MiB"):
        read_content(buffer.getvalue(), "bomb.npz")


def test_an_array_that_promises_more_than_it_holds_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        header = io.BytesIO()
        shape = (10**12, 8)
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
        archive.writestr("x.npy", header.getvalue())
        archive.writestr("y.npy", header.getvalue())

    with pytest.raises(DataError, match=r"array x that says it is of shape \(1000000000000, 8\)"):
        read_content(buffer.getvalue(), "liar.npz")


def test_pickles_are_refused_wherever_they_are():
    objects = np.array([{"a": 1}, None], dtype=object)
    buffer = io.BytesIO()
    np.savez(buffer, x=np.zeros((2, 1)), y=objects)

    with pytest.raises(DataError, match="pickled objects, which could run any code"):
        read_content(buffer.getvalue(), "objects.npz")
    with pytest.raises(DataError, match="pickle, which could run any code"):
        read_content(b"\x80\x04K\x01.", "model.pkl")


def test_a_parquet_of_very_many_equal_cells_is_refused_unread():
    some = pa.table({"a": np.zeros(MIB, np.int8), "y": np.zeros(MIB, np.int8)})
    buffer = io.BytesIO()
    with parquet.ParquetWriter(buffer, some.schema) as writer:
        for _ in range(40):
            writer.write_table(some)

    with pytest.raises(DataError, match="unpacks to 640 MiB"):
        read_content(buffer.getvalue(), "bomb.parquet")


def test_a_long_text_that_stands_in_many_rows_takes_memory_once():
    long = "x" * MIB
    text = pa.DictionaryArray.from_arrays(np.zeros(4096, np.int32), [long])
    content = written(pa.table({"text": text, "y": np.arange(4096)}), use_dictionary=True)

    table = read_content(content, "long.parquet")

    assert len(content) < MIB
    assert table.columns[0].levels == (long,)


def test_texts_of_a_parquet_have_codes_in_the_order_of_their_first_rows():
    words = pa.DictionaryArray.from_arrays(
        pa.array([2, 0, None, 2, 3], pa.int32()), ["b", "unused", "a", "b"]
    )
    plain = pa.array(["z", None, "y", "z", "x"])

    table = read_content(written(pa.table({"words": words, "plain": plain})), "words.parquet")

    first, second = table.columns
    assert (first.levels, first.values.tolist()) == (("a", "b"), [0, 1, -1, 0, 1])
    assert (second.levels, second.values.tolist()) == (("z", "y", "x"), [0, -1, 1, 0, 2])


def test_columns_of_lists_are_refused_before_they_are_read():
    lists = pa.array([[0.0] * 1000] * 10)

    with pytest.raises(DataError, match="a column 'lists' of type list<"):
        read_content(written(pa.table({"lists": lists})), "lists.parquet")


def test_too_many_columns_are_counted_before_they_are_made():
    names = ",".join(f"c{n}" for n in range(200_000))
    cells = ",".join(["1"] * 200_000)
    wide = pa.table({f"c{n}": [1] for n in range(10_001)})

    for content, name in (
        (f"{names}\n{cells}\n".encode(), "wide.csv"),
        (npz(x=np.zeros((2, 200_000)), y=np.zeros(2)), "wide.npz"),
        (written(wide), "wide.parquet"),
    ):
        with pytest.raises(DataError, match="columns; at most 10,000 are possible"):
            read_content(content, name)


def test_a_class_or_a_column_with_a_name_of_a_megabyte_is_refused(tmp_path):
    long = "x" * MIB
    rows = "".join(f"{n},{'a' if n % 2 else 'b'}\n" for n in range(40))
    (tmp_path / "class.csv").write_text(f"a,y\n{rows}41,{long}\n42,{long}\n")

    with pytest.raises(DataError, match="class with a name of 1,048,576 characters") as caught:
        describe(DataSpec(source="class.csv", target="y"), tmp_path)
    assert caught.value.field == "data.target"
    assert len(str(caught.value)) < 400
    with pytest.raises(DataError, match=r"name of 1,048,576 characters|field larger than field limit"):
        read_content(f"a,{long}\n1,2\n".encode(), "column.csv")
    with pytest.raises(DataError, match="column with a name of 1,048,576 characters"):
        read_content(written(pa.table({long: [1], "y": [2]})), "column.parquet")


@pytest.mark.parametrize("kind", ["npz", "parquet", "csv.gz"])
def test_a_damaged_file_is_never_more_than_a_data_error(kind):
    rng = random.Random(0)
    x = np.random.default_rng(0).normal(size=(50, 3))
    whole = {
        "npz": npz(x=x, y=np.arange(50) % 2),
        "parquet": written(pa.table({"a": x[:, 0], "t": ["u", "v"] * 25, "y": np.arange(50) % 2})),
        "csv.gz": gzip.compress(b"a,b\n" + b"1,2\n" * 50),
    }[kind]

    for turn in range(300):
        damaged = bytearray(whole[: rng.randrange(1, len(whole))] if turn % 3 == 0 else whole)
        for _ in range(rng.randrange(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            read_content(bytes(damaged), f"damaged.{kind}")
        except DataError as error:
            assert len(str(error)) < 400  # noqa: PT017 - any other error fails the test

"""Parquet, NPZ, IDX folders and uploads; sources that are not there."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import io
import struct

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from hpo.data.prepare import describe, prepare
from hpo.dataset import Task
from hpo.errors import DataError
from hpo.study import DataSpec


def parquet(frame, **how):
    buffer = io.BytesIO()
    frame.to_parquet(buffer, **how)
    return buffer.getvalue()


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def idx(array, kind=0x08):
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def mnist(folder, n_train=40, n_test=10, pack=gzip.compress, suffix=".gz"):
    random = np.random.default_rng(0)
    for part, n in (("train", n_train), ("t10k", n_test)):
        images = random.integers(0, 256, (n, 4, 3), dtype=np.uint8)
        (folder / f"{part}-images-idx3-ubyte{suffix}").write_bytes(pack(idx(images)))
        (folder / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(
            pack(idx((np.arange(n) % 5).astype(np.uint8)))
        )


def test_parquet_gives_the_arrays_that_csv_gives(bench):
    frame = load_iris(as_frame=True).frame
    frame["colour"] = np.where(np.arange(len(frame)) % 3, "blue", "red")
    frame.loc[3, "sepal length (cm)"] = None
    frame.loc[5, "colour"] = None

    by_parquet = bench.prepare(bench.write(parquet(frame), "a.parquet"), target="target")
    by_csv = bench.csv(frame.to_csv(index=False), target="target")

    for ours, theirs in zip(by_parquet.scaled["none"].test, by_csv.scaled["none"].test, strict=True):
        assert np.array_equal(ours.x, theirs.x)
    assert by_parquet.info.columns == by_csv.info.columns


def test_parquet_types_become_numbers_dates_and_categories(bench):
    n = 40
    frame = pd.DataFrame(
        {
            "day": pd.date_range("2020-01-01", periods=n),
            "zoned": pd.date_range("2020-01-01", periods=n, tz="Europe/Berlin"),
            "date": [datetime.date(2020, 1, 1) + datetime.timedelta(i) for i in range(n)],
            "flag": [i % 2 == 0 for i in range(n)],
            "kind": pd.Categorical(["u", "v"] * (n // 2)),
            "tiny": np.arange(n, dtype=np.float16),
            "count": pd.array([None, *range(1, n)], dtype="Int64"),
            "y": [f"class {i % 2}" for i in range(n)],
        }
    )

    info = bench.prepare(bench.write(parquet(frame), "a.parquet"), target="y").info

    kinds = {column.name: column.kind for column in info.columns}
    assert kinds == {
        "day": "date", "zoned": "date", "date": "date", "flag": "number",
        "kind": "category", "tiny": "number", "count": "number", "y": "category",
    }  # fmt: skip


def test_the_row_labels_that_pandas_writes_are_no_feature(bench):
    frame = load_iris(as_frame=True).frame.set_index(np.arange(150)[::-1])
    frame.index.name = None

    info = bench.prepare(bench.write(parquet(frame, index=True), "a.parquet"), target="target").info

    assert info.n_features == 4


def test_nested_columns_of_parquet_are_refused_by_name(bench):
    name = bench.write(parquet(pd.DataFrame({"a": [[1, 2], [3]], "y": [0, 1]})), "a.parquet")

    with pytest.raises(DataError, match="column 'a' of type list"):
        bench.prepare(name, target="y")


def test_npz_pairs_and_shapes_are_recognised(bench):
    x, y = load_iris(return_X_y=True)

    flat = bench.prepare(bench.write(npz(X=x, y=y.reshape(-1, 1)), "flat.npz"))
    images = bench.prepare(bench.write(npz(x=x.reshape(150, 2, 2), y=y), "images.npz"), scaling=None)
    named = bench.prepare(bench.write(npz(x=x, y=load_iris().target_names[y]), "named.npz"))

    assert (flat.info.task, flat.info.images, flat.info.target) == (Task.CLASSIFICATION, False, "y")
    assert (images.info.images, list(images.scaled)) == (True, ["minmax"])
    assert named.info.classes == ("setosa", "versicolor", "virginica")


def test_the_official_test_rows_of_npz_are_the_test_rows(bench):
    x, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(150)
    x, y = x[order], y[order]

    prepared = bench.prepare(
        bench.write(npz(x_train=x[:120], y_train=y[:120], x_test=x[120:], y_test=y[120:]), "a.npz")
    )

    assert np.array_equal(prepared.scaled["none"].test[0].x, x[120:].astype(np.float32))
    assert (prepared.info.n_train, prepared.info.n_validation) == (96, 24)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": np.ones(3)}, "has the arrays a; wanted are x and y"),
        ({"x": np.array([{}, {}], dtype=object), "y": np.arange(2)}, "pickled objects"),
        ({"x": np.ones((3, 2)), "y": np.ones(4)}, "3 rows in x but 4 in y"),
        ({"x": np.ones((3, 2)), "y": np.ones((3, 2))}, r"array y of float64 with shape \(3, 2\)"),
        ({"x": np.array(["a", "b"]), "y": np.arange(2)}, "wanted are numbers"),
        ({"x": np.ones((3, 0)), "y": np.ones(3)}, "no feature columns"),
        ({"x": np.ones((3, 10_001)), "y": np.ones(3)}, "10,001 columns"),
        ({"x": np.ones((0, 2)), "y": np.ones(0)}, "no rows"),
    ],
)
def test_npz_files_that_cannot_be_used_say_why(bench, arrays, words):
    name = bench.write(npz(**arrays), "a.npz")

    with pytest.raises(DataError, match=words):
        bench.prepare(name)


def test_no_pickle_is_ever_run(bench, tmp_path):
    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    name = bench.write(npz(x=np.array([Bomb()], dtype=object), y=np.arange(1)), "bomb.npz")

    with pytest.raises(DataError, match="could run any code"):
        bench.prepare(name)
    assert not (tmp_path / "ran").exists()


def test_an_idx_folder_keeps_its_official_test_rows(bench, tmp_path):
    mnist(tmp_path)

    prepared = bench.prepare(".", scaling=None)

    info = prepared.info
    assert (info.n_train, info.n_validation, info.n_test) == (32, 8, 10)
    assert (info.images, info.n_features, info.classes) == (True, 12, tuple("01234"))
    raw = gzip.decompress((tmp_path / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    expected = np.frombuffer(raw, np.uint8).reshape(10, 12)
    assert np.array_equal(bench.prepare(".").scaled["none"].test[0].x, expected)


def test_the_hash_of_a_folder_is_that_of_its_files_in_order(bench, tmp_path):
    mnist(tmp_path, pack=bytes, suffix="")
    names = ("t10k-images-idx3", "t10k-labels-idx1", "train-images-idx3", "train-labels-idx1")
    expected = hashlib.sha256(b"".join((tmp_path / f"{name}-ubyte").read_bytes() for name in names))

    assert bench.prepare(".").info.sha256 == expected.hexdigest()


def test_idx_files_of_any_number_type_are_read(bench, tmp_path):
    values = np.random.default_rng(0).normal(size=(30, 2, 2)).astype(">f4")
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(values, kind=0x0D))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx((np.arange(30) % 3).astype(np.uint8)))

    x = bench.prepare(".").scaled["none"].test[0].x

    assert {tuple(row) for row in x} <= {tuple(row) for row in values.reshape(30, 4)}


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (
            "train-images-idx3-ubyte.gz",
            b"\x1f\x8bjunk",
            r"a file train-images-idx3-ubyte\.gz that is a damaged",
        ),
        ("train-images-idx3-ubyte.gz", b"junk and more", "not in IDX format"),
        (
            "train-images-idx3-ubyte.gz",
            idx(np.zeros((40, 2, 2), np.uint8))[:-1],
            "159 bytes where 160 belong",
        ),
        ("train-images-idx3-ubyte.gz", b"\0\0\x08\x03\0", "ends in its header"),
        ("train-images-idx3-ubyte.gz", idx(np.zeros((39, 4, 3), np.uint8)), "39 train images but labels"),
        ("t10k-images-idx3-ubyte.gz", idx(np.zeros((10, 2, 3), np.uint8)), "test images of"),
        ("t10k-images-idx3-ubyte.gz", None, "IDX files of the test images"),
        ("train-labels-idx1-ubyte.gz", None, "IDX files of the train labels"),
    ],
)
def test_a_folder_with_a_bad_or_missing_idx_file_says_which(bench, tmp_path, file, content, words):
    mnist(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)

    with pytest.raises(DataError, match=words):
        bench.prepare(".")


def test_an_ordinary_folder_says_what_it_would_need(bench):
    with pytest.raises(DataError, match="folder without IDX files of the train images and train labels"):
        bench.prepare(".")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.parquet", b"PAR1 no more", "is not a Parquet file"),
        ("a.parquet", b"a,y\n1,2\n", "is not a Parquet file"),
        ("a.npz", b"PK\x03\x04 no more", "is not an NPZ file"),
        ("a.npz", b"a,y\n1,2\n", "is not an NPZ file|pickled"),
        ("a.xlsx", b"PK\x03\x04", "Excel workbook; save it as CSV"),
        ("a.pkl", b"\x80\x04", "could run any code"),
        ("a.json", b"{}", "is JSON"),
        ("a.npy", b"\x93NUMPY", "single array"),
    ],
)
def test_files_that_are_not_what_they_are_called_say_so(bench, name, content, words):
    with pytest.raises(DataError, match=words):
        bench.prepare(bench.write(content, name), target="y")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("digts", "neither a built-in data set nor a file; did you mean 'digits'?"),
        ("data.cvs", "did you mean 'data.csv'?"),
        ("nowhere/at/all.bin", "looked for "),
        ("ds_0123", "needs the database"),
        ("a\0b", "cannot be read"),
    ],
)
def test_a_source_that_is_not_there_says_what_was_looked_for(bench, source, words):
    bench.write("a,y\n1,2\n")

    with pytest.raises(DataError) as error:
        bench.prepare(source)

    assert words in error.value.detail
    assert error.value.field == "data.source"


def test_uploaded_data_comes_from_the_store_and_is_recognised_by_its_content(tmp_path):
    frame = load_iris(as_frame=True).frame
    uploads = {"ds_a": parquet(frame), "ds_b": gzip.compress(frame.to_csv(index=False).encode())}

    infos = [
        prepare(
            DataSpec(source=name, target="target"),
            scalings=[],
            folder=tmp_path,
            seed=0,
            stored=uploads.__getitem__,
        ).info
        for name in uploads
    ]

    assert infos[0].n_rows == infos[1].n_rows == 150
    assert infos[1].sha256 == hashlib.sha256(uploads["ds_b"]).hexdigest()


def test_an_absolute_path_needs_no_folder(bench, tmp_path):
    bench.write(load_iris(as_frame=True).frame.to_csv(index=False))

    info = describe(DataSpec(source=str(tmp_path / "data.csv"), target="target"), tmp_path / "elsewhere")

    assert info.n_rows == 150

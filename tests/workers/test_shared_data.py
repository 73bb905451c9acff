"""Data that goes through a folder is the same data, mapped and not to be written."""

from dataclasses import replace

import numpy as np
import pytest

from hpo.dataset import Rows, TargetScaling
from hpo.testing.pool_talk import make_data
from hpo.workers.shared_data import read_data, write_data


def test_data_comes_back_as_it_went(tmp_path):
    one, two = make_data(seed=1), make_data(seed=2)
    scaling = TargetScaling(kind="log1p", mean=0.1, scale=3.0)
    data = replace(one, folds=one.folds + two.folds, positive=2, target_scalings=(scaling,) * 2)

    write_data(tmp_path / "data", data)
    back = read_data(tmp_path / "data")

    assert replace(back, folds=()) == replace(data, folds=())
    for parts, wanted in zip(back.folds, data.folds, strict=True):
        for rows, given in zip(parts, wanted, strict=True):
            np.testing.assert_array_equal(rows.x, given.x)
            np.testing.assert_array_equal(rows.y, given.y)


def test_arrays_are_contiguous_float32_whatever_was_given(tmp_path):
    x = np.asfortranarray(np.arange(12.0).reshape(4, 3))
    rows = Rows(x=x, y=np.arange(4))
    empty = Rows(x=np.empty((0, 3)), y=np.empty(0))
    data = replace(make_data(), folds=((rows, empty),), n_features=3)

    write_data(tmp_path / "data", data)
    found, nothing = read_data(tmp_path / "data").folds[0]

    assert found.x.dtype == found.y.dtype == np.float32
    assert found.x.flags.c_contiguous
    np.testing.assert_array_equal(found.x, x)
    assert nothing.x.shape == (0, 3)
    with pytest.raises(ValueError, match="read-only"):
        found.x[0, 0] = 1

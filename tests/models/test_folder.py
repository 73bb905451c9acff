"""A model's folder comes back whole, can be used with numpy alone, and is refused in one sentence when damaged."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import hpo
from hpo.dataset import Task
from hpo.errors import DataError, HpoError
from hpo.hyperparams import ACTIVATIONS
from hpo.models import load_folder
from hpo.models.folder import folder_files, write_folder, zip_of
from hpo.models.preparing import SCALINGS
from hpo.models.readme import example_row

ROWS = [
    {"a": 1.5, "b, big": -2000.0, "day": "03.05.2024", "kind": "k1", "code": 2},
    {"a": None, "b, big": 250.0, "day": None, "kind": "new", "code": None},
]


@pytest.fixture
def folder(made, tmp_path):
    """A model and its folder."""
    saved, _ = made(folds=2)
    write_folder(tmp_path / "model", folder_files(saved))
    return saved, tmp_path / "model"


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("task", Task)
def test_a_folder_gives_the_same_predictions_to_the_bit(made, tmp_path, task, scaling):
    saved, _ = made(task, scaling=scaling, folds=2, repeats=2)

    write_folder(tmp_path / "model", folder_files(saved))
    found = load_folder(tmp_path / "model")

    np.testing.assert_array_equal(found.predict(ROWS), saved.predict(ROWS))
    assert (found.columns, found.target, found.classes) == (saved.columns, saved.target, saved.classes)
    assert found.about["study"] == "made-up"
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "model.json",
        "model.safetensors",
        "README.md",
    }


def test_a_zip_is_the_same_as_the_folder_and_the_same_again(made, tmp_path):
    saved, _ = made()

    data = zip_of(folder_files(saved), "made-up-7")
    (tmp_path / "model.zip").write_bytes(data)

    assert zip_of(folder_files(saved), "made-up-7") == data
    np.testing.assert_array_equal(load_folder(tmp_path / "model.zip").predict(ROWS), saved.predict(ROWS))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == [
            f"made-up-7/{n}" for n in ("README.md", "model.json", "model.safetensors")
        ]


def program_of(path):
    """The second Python block of the README."""
    return re.findall(r"```python\n(.*?)```", (path / "README.md").read_text(), re.DOTALL)


def run_without_hpo(program, path):
    """What a program prints that can import numpy and safetensors, and nothing of hpo, torch or pandas."""
    guard = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('hpo', 'torch', 'pandas', 'sqlalchemy', 'optuna', 'sklearn'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
    )
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", guard + program], cwd=path, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


CASES = [
    *({"params": {"activation": activation, "batch_norm": True}} for activation in ACTIVATIONS),
    *({"scaling": scaling} for scaling in SCALINGS),
    {"task": Task.REGRESSION, "target_scaling": "log1p", "folds": 2},
    {"task": Task.REGRESSION, "repeats": 2},
    {"folds": 3, "repeats": 2, "scaling": "quantile"},
    {"columns": {"a": list(range(40)), "y": ["u", "v"] * 20, "code": [i % 3 for i in range(40)]}},
]


@pytest.mark.parametrize("how", CASES, ids=str)
def test_the_program_of_the_readme_predicts_without_hpo(made, tmp_path, how):
    saved, _ = made(**how)
    write_folder(tmp_path / "model", folder_files(saved))

    found = run_without_hpo(program_of(tmp_path / "model")[1], tmp_path / "model")

    row = [example_row(saved)]
    regression = saved.model.task is Task.REGRESSION
    wanted = saved.predict(row) if regression else saved.probabilities(row)[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_the_readme_says_what_the_columns_are(folder):
    text = (folder[1] / "README.md").read_text()

    assert "- `a`: number\n" in text
    assert "- `day`: date, as days since 1970-01-01\n" in text
    assert "- `code`: category, as text: `0`, `1`, `2`, `3`\n" in text
    assert "the prediction is the mean of 2 such networks" in text


def test_the_folder_is_loaded_with_numpy_and_safetensors_alone(folder):
    _, path = folder
    program = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'optuna', 'sqlalchemy', 'pandas', 'sklearn', 'pyarrow', 'onnx'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
    ) + program_of(path)[0]

    environ = os.environ | {"PYTHONPATH": str(Path(hpo.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=path, env=environ, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[")


def test_what_is_there_is_not_overwritten_unless_it_is_a_model_and_may_be(folder, made, tmp_path):
    saved, path = folder
    other, _ = made()

    with pytest.raises(HpoError, match=r"is there already; --yes writes over it"):
        write_folder(path, folder_files(other))
    write_folder(path, folder_files(other), replace=True)
    np.testing.assert_array_equal(load_folder(path).predict(ROWS), other.predict(ROWS))
    (path / "notes.txt").write_text("mine")
    with pytest.raises(HpoError, match="holds other things"):
        write_folder(path, folder_files(saved), replace=True)
    with pytest.raises(HpoError, match="is no folder"):
        write_folder(path / "notes.txt", folder_files(saved), replace=True)

    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data.csv", "model"]


@pytest.mark.parametrize("where", [".", "..", "../here", "../../"])
def test_the_folder_that_one_is_in_is_not_replaced(made, tmp_path, monkeypatch, where):
    saved, _ = made()
    (tmp_path / "in" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "in" / "here")

    with pytest.raises(HpoError, match="is the folder that you are in"):
        write_folder(Path(where), folder_files(saved), replace=True)

    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data.csv", "in"]
    assert [entry.name for entry in (tmp_path / "in").iterdir()] == ["here"]


def test_an_empty_folder_that_is_there_is_filled(made, tmp_path):
    saved, _ = made()
    (tmp_path / "model").mkdir()

    write_folder(tmp_path / "model", folder_files(saved))

    assert load_folder(tmp_path / "model").predict(ROWS) == saved.predict(ROWS)


def test_nothing_is_left_of_a_folder_that_cannot_be_written(made, tmp_path, monkeypatch):
    saved, _ = made()
    files = folder_files(saved) | {"no/such/folder": b""}

    with pytest.raises(HpoError, match="cannot be written: No such file or directory"):
        write_folder(tmp_path / "model", files)

    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data.csv"]


def changed(change):
    """A damage: model.json with something changed."""

    def damage(path):
        about = json.loads((path / "model.json").read_text())
        change(about)
        (path / "model.json").write_text(json.dumps(about))

    return damage


def with_tensor(name, array):
    """A damage: one tensor is another."""

    def damage(path):
        tensors = dict(load_file(path / "model.safetensors"))
        if array is None:
            del tensors[name]
        else:
            tensors[name] = array(tensors[name])
        save_file(tensors, path / "model.safetensors")

    return damage


def cut(name, n):
    """A damage: only the first bytes of a file are there."""
    return lambda path: (path / name).write_bytes((path / name).read_bytes()[:n])


def huge_header(path):
    (path / "model.safetensors").write_bytes((1 << 60).to_bytes(8, "little") + b"{}")


DAMAGES = {
    "no json": (lambda path: (path / "model.json").unlink(), "has no model.json"),
    "no weights": (lambda path: (path / "model.safetensors").unlink(), "has no model.safetensors"),
    "a folder for a file": (lambda path: ((path / "model.json").unlink(), (path / "model.json").mkdir()), "is no file"),
    "cut json": (cut("model.json", 200), "it is no JSON"),
    "empty json": (cut("model.json", 0), "it is no JSON"),
    "cut weights": (cut("model.safetensors", 300), "model.safetensors of .* is damaged"),
    "empty weights": (cut("model.safetensors", 0), "model.safetensors of .* is damaged"),
    "huge header": (huge_header, "model.safetensors of .* is damaged"),
    "deep json": (lambda path: (path / "model.json").write_text("[" * 100_000), "it is no JSON"),
    "other json": (lambda path: (path / "model.json").write_text('{"a": 1}'), "is not a model's"),
    "a list": (lambda path: (path / "model.json").write_text("[1]"), "is not a model's"),
    "newer": (changed(lambda a: a.update(version=99)), "written by a newer version"),
    "odd version": (changed(lambda a: a.update(version="1")), "written by a newer version"),
    "no model": (changed(lambda a: a.pop("model")), "does not describe a network"),
    "model null": (changed(lambda a: a.update(model=None)), "does not describe a network"),
    "no lanes": (changed(lambda a: a["model"].update(lanes=[])), "has no weights"),
    "odd lanes": (changed(lambda a: a["model"].update(lanes=[[0]])), "does not describe a network"),
    "another activation": (changed(lambda a: a["model"]["settings"].update(activation="tan")), "is damaged"),
    "another loss": (changed(lambda a: a["model"]["shared"].update(loss="mse")), "do not fit its network"),
    "no preparation": (changed(lambda a: a["model"].update(preprocessing=[])), "what was done to its columns"),
    "half a preparation": (changed(lambda a: a["model"]["preprocessing"].pop()), "2 folds, but the preparation of 1"),
    "no medians": (changed(lambda a: a["model"]["preprocessing"][0].pop("medians")), "does not describe"),
    "few medians": (changed(lambda a: a["model"]["preprocessing"][0]["medians"].pop()), "does not describe"),
    "huge inputs": (changed(lambda a: a["model"]["preprocessing"][0].update(n_features=10**15)), "other inputs"),
    "huge layers": (changed(lambda a: a["model"]["settings"].update(hidden=[10**9])), "is damaged"),
    "other scaling": (changed(lambda a: a["model"]["preprocessing"][0]["scaling"].update(kind="pickle")), "is damaged"),
    "NaN weights": (with_tensor("lane0.layer0.weight", lambda w: w * np.float32("nan")), "holds what is no number"),
    "infinite weights": (with_tensor("lane1.layer1.bias", lambda b: b + np.float32("inf")), "holds what is no number"),
    "whole weights": (with_tensor("lane0.layer0.bias", lambda b: b.astype(np.int32)), "holds int32"),
    "double weights": (with_tensor("lane0.layer0.bias", lambda b: b.astype(np.float64)), "32-bit floats"),
    "missing weights": (with_tensor("lane0.layer0.bias", None), "does not describe a network"),
    "other weights": (with_tensor("lane0.layer0.weight", lambda w: w[:, 1:].copy()), "do not fit its network"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_refused_in_one_sentence(folder, damage):
    _, path = folder
    spoil, words = DAMAGES[damage]
    spoil(path)

    with pytest.raises(DataError, match=words) as caught:
        load_folder(path)

    assert "\n" not in caught.value.detail


def zipped(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/"), data)
    return out.getvalue()


ZIPS = {
    "no zip": (b"PK\x03\x04 and more", "neither the folder of a model nor a zip"),
    "text": (b"hello", "neither the folder of a model nor a zip"),
    "empty": (b"", "neither the folder of a model nor a zip"),
    "other files": (zipped(readme="x"), "has no model.json"),
    "two of them": (zipped(**{"a__model.json": "{}", "b__model.json": "{}"}), "has 2 model.json"),
    "a bomb": (
        zipped(**{"model.json": b" " * 80_000_000, "model.safetensors": b""}),
        "too large for a model",
    ),
}


@pytest.mark.parametrize("kind", ZIPS)
def test_a_zip_that_is_none_of_a_model_is_refused_in_one_sentence(tmp_path, kind):
    data, words = ZIPS[kind]
    (tmp_path / "model.zip").write_bytes(data)

    with pytest.raises(DataError, match=words):
        load_folder(tmp_path / "model.zip")


def test_a_zip_that_is_cut_off_or_altered_is_refused(made, tmp_path):
    saved, _ = made()
    data = bytearray(zip_of(folder_files(saved), "m"))
    place = data.find(b"hpo-model")

    for spoiled in (data[: len(data) // 2], data[:place] + b"x" + data[place + 1 :]):
        (tmp_path / "model.zip").write_bytes(bytes(spoiled))
        with pytest.raises(DataError):
            load_folder(tmp_path / "model.zip")


def test_names_in_a_zip_lead_nowhere(made, tmp_path):
    saved, _ = made()
    files = folder_files(saved)
    evil = zipped(**{f"..__..__{name}": data for name, data in files.items()})
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "model.zip").write_bytes(evil)

    found = load_folder(tmp_path / "in" / "model.zip")

    np.testing.assert_array_equal(found.predict(ROWS), saved.predict(ROWS))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data.csv", "in"]


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match=r"no model is called '.*gone'"):
        load_folder(tmp_path / "gone")

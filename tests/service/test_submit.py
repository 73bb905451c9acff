"""From what the user wrote to a study in the database."""

import threading
from pathlib import Path

import pytest

from hpo import __version__
from hpo.dataset import DatasetInfo, Task
from hpo.errors import SpecError, StudyExists
from hpo.service import specfile, submit
from hpo.states import StudyState

FILE = """
data: {source: wine.csv, target: quality}
parameters: {learning_rate: {low: 1e-4, high: 1e-1, log: true}}
trials: 8
"""

INFO = DatasetInfo(
    source="wine.csv",
    sha256="ab" * 32,
    task=Task.REGRESSION,
    task_reason="numbers",
    target="quality",
    n_rows=100,
    n_features=3,
    n_train=60,
    n_validation=20,
    n_test=20,
)


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "Wine (red).yaml"
    path.write_text(FILE)
    return path


def test_a_study_without_a_name_is_called_after_its_file_with_a_counter(storage, study_file):
    draft = submit.draft_of_file(study_file)

    names = [submit.create(storage, draft, INFO)[0].name for _ in range(3)]

    assert names == ["Wine-red", "Wine-red-2", "Wine-red-3"]


def test_names_are_found_while_others_take_them(storage, study_file):
    draft = submit.draft_of_file(study_file)
    names: list[str] = []
    threads = [
        threading.Thread(target=lambda: names.append(submit.create(storage, draft, INFO)[0].name))
        for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(names) == sorted(["Wine-red", *(f"Wine-red-{i}" for i in range(2, 9))])


def test_the_stored_study_is_complete_and_says_its_name(storage, study_file):
    study, spec = submit.create(storage, submit.draft_of_file(study_file), INFO)

    assert study.state is StudyState.QUEUED
    assert (study.metric, study.direction, study.n_trials) == ("rmse", "minimize", 8)
    assert study.folder == str(study_file.parent)
    assert study.data["sha256"] == INFO.sha256
    assert study.versions["hpo"] == __version__
    assert specfile.from_json(study.spec) == spec
    assert spec.name == study.name
    assert spec.epochs == 50


@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_a_study_says_in_which_precision_it_is_made(storage, study_file, precision):
    asked = {} if precision == "exact" else {"precision": precision}  # exact needs no asking

    study, _ = submit.create(storage, submit.draft_of_file(study_file), INFO, **asked)

    assert study.versions["precision"] == precision


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wine.yaml", "no study file is called 'wine.yaml'"),
        (
            "wine.csv",
            "no study file is called 'wine.csv'; a data set to search on is given by `--data wine.csv`",
        ),
        ("digits", "no study file is called 'digits'; a data set to search on is given by `--data digits`"),
    ],
)
def test_a_study_file_that_is_not_there_may_have_been_meant_for_a_data_set(name, said):
    with pytest.raises(SpecError) as caught:
        submit.draft_of_file(Path(name))

    assert caught.value.detail == said


def test_a_name_that_was_given_and_is_taken_is_an_error(storage, study_file):
    draft = submit.draft_of_file(study_file, submit.Options(name="wine"))

    submit.create(storage, draft, INFO)

    with pytest.raises(StudyExists, match="`hpo show wine`; choose another name"):
        submit.create(storage, draft, INFO)


def test_options_go_before_the_file_and_set_before_options(study_file):
    options = submit.Options(
        trials=3, epochs=7, settings=submit.parse_settings(["epochs=9", "parameters.dropout=0.5"])
    )

    spec = submit.draft_of_file(study_file, options).spec

    assert (spec.trials, spec.epochs) == (3, 9)
    assert spec.parameters.fixed == {"dropout": 0.5}


def test_a_data_set_alone_makes_a_study_in_the_current_folder(tmp_path):
    draft = submit.draft_of_options(submit.Options(data="digits", trials=5), tmp_path)

    assert (draft.stem, draft.folder) == ("digits", tmp_path)
    assert draft.spec.trials == 5
    assert "learning_rate" in draft.spec.parameters.searched


def test_a_study_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SpecError, match=r"nowhere\.yaml"):
        submit.draft_of_file(tmp_path / "nowhere.yaml")
    with pytest.raises(SpecError, match="cannot be read"):
        submit.draft_of_file(tmp_path)
    with pytest.raises(SpecError, match="--data"):
        submit.draft_of_options(submit.Options(), tmp_path)


@pytest.mark.parametrize(
    ("file_name", "stem"),
    [
        ("data.csv.gz", "data"),
        ("wine-red.yaml", "wine-red"),
        ("é à.csv", "study"),
        ("x" * 100 + ".csv", "x" * submit.MAX_STEM),
        ("ds_0123456789abcdef", "ds_0123456789abcdef"),
    ],
)
def test_a_stem_is_always_a_legal_name(file_name, stem):
    assert submit.stem_of(file_name) == stem


def test_the_scalings_that_trials_may_ask_for():
    def scalings(parameters):
        text = f"data: digits\nparameters: {{{parameters}}}"
        return submit.scalings_of(specfile.parse(text))

    assert scalings("learning_rate: 0.1") == (None,)
    assert scalings("scaling: minmax") == ("minmax",)
    assert scalings("scaling: [none, standardize]") == ("none", "standardize")
    assert scalings("scaling: pca") == ("pca",)
    assert scalings("scaling: [none, pca], pca_components: [5, 20]") == ("none", "pca-5", "pca-20")
    assert scalings("scaling: whiten, pca_components: {low: 2, high: 8, step: 3}") == (
        "whiten-2",
        "whiten-5",
        "whiten-8",
    )
    assert scalings("scaling: [minmax, pca], pca_components: {value: 5, when: {scaling: [pca]}}") == (
        "minmax",
        "pca-5",
        "pca",
    )


def test_relative_paths_begin_at_the_study_file(study_file, monkeypatch):
    monkeypatch.chdir(study_file.parent)

    assert submit.draft_of_file(Path(study_file.name)).folder == study_file.parent

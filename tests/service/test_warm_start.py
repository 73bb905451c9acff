"""Studies to begin from must be there and have been about the same thing."""

from __future__ import annotations

import pytest

from hpo.dataset import DatasetInfo, Task
from hpo.errors import SpecError
from hpo.service import specfile, submit

INFO = DatasetInfo(
    source="digits",
    sha256="ab" * 32,
    task=Task.CLASSIFICATION,
    task_reason="classes",
    target="digit",
    n_rows=100,
    n_features=3,
    classes=("a", "b"),
    n_train=60,
    n_validation=20,
    n_test=20,
)
FILE = """
name: {name}
data: digits
parameters: {{learning_rate: {{low: 1e-4, high: 1e-1, log: true}}}}
sampler: {sampler}
"""


def created(storage, name, tmp_path, *, sampler="tpe", more=""):
    spec = specfile.parse((FILE.format(name=name, sampler=sampler) + more).encode())
    return submit.create(storage, submit.Draft(spec=spec, folder=tmp_path, stem=name), INFO)[0]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("warm_start: [wnie]", "warm_start[0]: no study is called 'wnie'; did you mean 'wine'?"),
        ("warm_start: [wine, zzzzzz]", "warm_start[1]: no study is called 'zzzzzz'; `hpo ls` shows"),
        ("warm_start: [wine, wine]", "warm_start[1]: wine stands in the list twice"),
        (
            "warm_start: [wine]\nobjective: {metric: log_loss}",
            "warm_start[0]: study 'wine' was to maximize accuracy, this one is to minimize log_loss; leave it out",
        ),
        (
            "warm_start: [wine]\nobjective: [accuracy, n_parameters]",
            "this one is to maximize accuracy and minimize",
        ),
    ],
)
def test_another_study_that_does_not_fit_is_refused_with_its_place(storage, tmp_path, more, sentence):
    created(storage, "wine", tmp_path)

    with pytest.raises(SpecError) as error:
        created(storage, "new", tmp_path, more=more)

    assert sentence in str(error.value)


@pytest.mark.parametrize("sampler", ["random", "sobol", "coarse_to_fine"])
def test_a_sampler_that_learns_nothing_from_trials_is_told_of_none(storage, tmp_path, sampler):
    created(storage, "wine", tmp_path)

    with pytest.raises(
        SpecError, match=f"warm_start: {sampler} learns nothing from trials; write sampler: tpe"
    ):
        created(storage, "new", tmp_path, sampler=sampler, more="warm_start: [wine]")


def test_a_study_of_the_same_objectives_is_taken(storage, tmp_path):
    several = "objective: [accuracy, n_parameters]"
    created(storage, "wine", tmp_path, more=several)

    study = created(storage, "new", tmp_path, more=f"{several}\nwarm_start: [wine]")

    assert study.spec["warm_start"] == ["wine"]

"""A new study from the stored study file of another one."""

import pytest

from hpo.errors import SpecError, StudyNotFound
from hpo.service import forking, specfile, submit
from hpo.service.completion import complete
from hpo.states import StudyState
from hpo.storage.base import Storage
from tests.service.test_settings_given import INFO

FILE = """
name: first
data: {source: digits, split: {test: 0.1}}
parameters: {learning_rate: {low: 1e-4, high: 1e-1, log: true}, hidden_units: [16, "64-32"]}
trials: 8
seed: 3
enqueue: [{learning_rate: 1e-3}]
labels: {course: cs231n}
"""


@pytest.fixture
def first(storage: Storage, tmp_path):
    path = tmp_path / "first.yaml"
    path.write_text(FILE)
    return submit.create(storage, submit.draft_of_file(path), INFO, precision="fast")


def test_a_fork_of_a_cancelled_study_is_the_same_study_under_a_new_name(storage, first):
    storage.move_study("first", StudyState.CANCELLED)

    draft = forking.draft_of_study(storage, "first", {})
    new, spec = submit.create(storage, draft, INFO)

    assert (new.name, new.state) == ("first-2", StudyState.QUEUED)
    assert specfile.to_yaml(spec).replace("first-2", "first") == specfile.to_yaml(first[1])
    assert new.folder == first[0].folder
    assert [entry.params for entry in storage.queue("first-2")] == [{"learning_rate": 1e-3}]
    assert forking.precision_of(first[0]) == "fast"


def test_what_is_to_be_different_is_and_a_new_seed_is_a_new_seed_everywhere(storage, first):
    changes = {"seed": 7, "parameters.hidden_units": 32, "name": "other"}

    draft = forking.draft_of_study(storage, "first", changes)
    spec = complete(draft.spec, INFO)

    assert (spec.seed, spec.sampler.seed, spec.data.split.seed) == (7, 7, 7)
    assert spec.parameters.fixed == {"hidden_units": 32}
    assert spec.name == "other"


def test_a_seed_that_was_given_stays(storage, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(FILE + "sampler: {name: random, seed: 5}\n")
    submit.create(storage, submit.draft_of_file(path), INFO)

    spec = complete(forking.draft_of_study(storage, "first", {"seed": 7}).spec, INFO)

    assert (spec.sampler.seed, spec.data.split.seed) == (5, 7)


def test_a_fork_of_a_fork_counts_on(storage, first):
    for _ in range(2):
        name = storage.list_studies()[0].name
        submit.create(storage, forking.draft_of_study(storage, name, {}), INFO)

    assert [study.name for study in storage.list_studies()] == ["first-3", "first-2", "first"]


def test_the_written_file_is_the_study_and_names_its_data_in_full(storage, tmp_path):
    (tmp_path / "wine.csv").write_text("a,quality\n1,2\n")
    path = tmp_path / "study.yaml"
    path.write_text(FILE.replace("source: digits", "source: wine.csv, target: quality"))
    submit.create(storage, submit.draft_of_file(path), INFO)

    spec = specfile.parse(forking.text_of(forking.draft_of_study(storage, "first", {"trials": 9})))

    assert spec.data.source == str(tmp_path / "wine.csv")
    assert (spec.trials, spec.name, spec.labels) == (9, None, {"course": "cs231n"})


def test_a_fork_that_cannot_be_is_refused(storage, first):
    with pytest.raises(StudyNotFound):
        forking.draft_of_study(storage, "nobody", {})
    with pytest.raises(SpecError) as caught:
        forking.draft_of_study(storage, "first", {"trails": 3})
    assert caught.value.field == "trails"

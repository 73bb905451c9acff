"""The note of a study, as Optuna's dashboard itself reads and writes it."""

import optuna
import optuna_dashboard
import pytest

from hpo.errors import StudyNotFound
from hpo.storage.open import open_storage
from hpo.testing.studies import new_study


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def storage(url):
    storage = open_storage(url)
    storage.create_study(new_study("wine"))
    storage.create_study(new_study("other"))
    yield storage
    storage.close()


@pytest.fixture
def study(storage, url):
    return optuna.load_study(study_name="wine", storage=url)


def test_a_note_of_any_length_is_what_the_dashboard_shows_and_the_next_takes_its_place(storage, study):
    long = "größer <b> 'x' \\ % _\n" * 500

    storage.set_note("wine", long)
    shown = optuna_dashboard.get_note(study)
    storage.set_note("wine", "short")

    assert shown == long
    assert optuna_dashboard.get_note(study) == "short"


def test_a_note_is_that_of_its_study(storage, study, url):
    storage.set_note("other", "of the other one")

    assert optuna_dashboard.get_note(study) == ""
    with pytest.raises(StudyNotFound):
        storage.set_note("nobody", "hello")


@pytest.mark.parametrize("theirs", ["mine", ""])
def test_what_somebody_wrote_in_the_dashboard_stays(storage, study, theirs):
    storage.set_note("wine", "ours")
    optuna_dashboard.save_note(study, theirs)

    storage.set_note("wine", "ours again")

    assert optuna_dashboard.get_note(study) == theirs


def test_a_note_that_was_there_first_stays(storage, study):
    optuna_dashboard.save_note(study, "mine")

    storage.set_note("wine", "ours")

    assert optuna_dashboard.get_note(study) == "mine"


def test_a_study_with_a_note_can_be_removed(storage, url):
    storage.set_note("wine", "ours")

    storage.delete_study("wine")

    assert optuna.get_all_study_names(storage=url) == ["other"]

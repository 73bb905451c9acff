"""The words: the states that the page has are those there are."""

from hpo.states import StudyState, TrialState
from tests.docs.pages import text_of


def test_the_states_are_those_of_the_code():
    lines = text_of("docs/glossary.md").splitlines()
    (trial,) = [line for line in lines if line.startswith("**States of a trial**")]
    (study,) = [line for line in lines if line.startswith("**States of a study**")]

    assert set(trial.split(": ")[1].split(", with")[0].split(", ")) == set(TrialState)
    assert set(study.split(": ")[1].rstrip(".").split(", ")) == set(StudyState)

"""The diagnosis of stored studies, and the next study file, which is a study file."""

import pytest

from hpo.errors import StudyNotFound, TrialNotFound
from hpo.service import diagnosing, specfile


def test_a_study_of_which_most_failed_says_so_and_its_next_file_can_be_read(studies):
    studies.running(values=(None, None, None, 0.9))

    found = diagnosing.diagnose(studies.storage, "digits")
    spec = specfile.parse(diagnosing.next_file(studies.storage, "digits"))

    assert (found["study"], found["trial"]) == ("digits", None)
    assert [one["code"] for one in found["findings"]][:1] == ["most_failed"]
    assert found["findings"][0]["sentence"].startswith("3 of 4 trials failed")
    assert spec.name == "digits-next"


def test_a_trial_of_which_nothing_was_measured_has_no_findings(studies):
    studies.running(values=(0.5, 0.9))

    assert diagnosing.diagnose(studies.storage, "digits", 1)["findings"] == []


def test_a_study_that_has_not_begun_has_no_findings_and_a_next_file(studies):
    studies.queued()

    assert diagnosing.diagnose(studies.storage, "digits")["findings"] == []
    assert specfile.parse(diagnosing.next_file(studies.storage, "digits")).trials == 4


def test_who_is_not_there_is_not_found(studies):
    studies.running(values=(0.5,))

    with pytest.raises(StudyNotFound):
        diagnosing.diagnose(studies.storage, "nobody")
    with pytest.raises(TrialNotFound):
        diagnosing.diagnose(studies.storage, "digits", 7)

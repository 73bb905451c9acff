"""The verb diagnose: sentences for people, findings for programs, and a study file that validates."""

import json


def test_people_read_sentences_and_what_to_try(hpo, study):
    study(values=(None, None, 0.9))

    code, out, err = hpo("diagnose", "digits")

    assert code == 0
    assert "severe  2 of 3 trials failed" in out
    assert "where they diverged, lower the learning rates" in out
    assert "hpo diagnose digits --next" in err


def test_programs_read_findings_with_their_numbers(hpo, study):
    study(values=(None, None, 0.9))

    found = json.loads(hpo("diagnose", "digits", "-f", "json")[1])

    assert found["findings"][0]["code"] == "most_failed"
    assert found["findings"][0]["numbers"]["failed"] == 2


def test_the_next_study_validates(hpo, study, tmp_path):
    study(values=(None, None, 0.9))

    code, out, _ = hpo("diagnose", "digits", "--next")
    (tmp_path / "next.yaml").write_text(out)

    assert code == 0
    assert "name: digits-next" in out
    assert hpo("validate", str(tmp_path / "next.yaml"))[0] == 0


def test_of_a_trial_without_anything_noted_it_is_said_that_it_cannot_be_told(hpo, study):
    study(values=(0.5, 0.9))

    out = hpo("diagnose", "digits", "--trial", "1")[1]

    assert "note  2 epochs of training: too little to tell how it learned" in out
    assert "nothing ails it" not in out


def test_the_next_study_is_not_that_of_one_trial(hpo, study):
    study()

    code, _, err = hpo("diagnose", "digits", "--trial", "1", "--next")

    assert (code, err) == (2, "error: --next: the next study follows from all trials; leave --trial out\n")
    assert hpo("diagnose", "nobody")[0] == 4

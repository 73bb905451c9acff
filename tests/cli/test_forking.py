"""The verb that makes a new study of an old one."""

import json

import pytest

from hpo.service import specfile
from hpo.states import StudyState

# On the local database, and on a server over it.
pytestmark = [
    pytest.mark.usefixtures("place"),
    pytest.mark.parametrize("place", ["here", "server"], indirect=True),
]


def test_a_fork_waits_to_be_run(hpo, study, database, place):
    study(state=StudyState.CANCELLED)

    code, out, err = hpo("fork", "digits", "--set", "trials=7")

    assert (code, out) == (0, "")
    assert "study digits-2: 7 random trials" in err
    assert {"here": "`hpo resume digits-2` runs it", "server": "the server runs it"}[place] in err
    with database() as storage:
        assert storage.get_study("digits-2").state is StudyState.QUEUED


def test_a_fork_answers_as_show_does(hpo, study):
    study()

    code, out, err = hpo("fork", "digits", "--name", "again", "-f", "json")

    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads(hpo("show", "again", "-f", "json")[1])


def test_a_study_file_is_written_or_printed_and_nothing_is_made(hpo, study, tmp_path):
    study()

    _, out, _ = hpo("fork", "digits", "--set", "seed=5", "-o", "-")
    code, _, err = hpo("fork", "digits", "-o", "new.yaml")

    assert specfile.parse(out).seed == 5
    assert code == 0
    assert "`hpo run new.yaml` runs it" in err
    assert specfile.parse((tmp_path / "new.yaml").read_text()).trials == 4
    assert [one["name"] for one in json.loads(hpo("ls", "-f", "json")[1])] == ["digits"]


def test_what_is_wrong_is_one_sentence(hpo, study, tmp_path):
    study()

    assert hpo("fork", "nobody")[0] == 4
    assert "trials: must be >= 1, got 0" in hpo("fork", "digits", "--set", "trials=0")[2]
    assert "exists already" in hpo("fork", "digits", "--name", "digits")[2]
    assert "cannot be written" in hpo("fork", "digits", "-o", str(tmp_path))[2]

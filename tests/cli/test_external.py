"""The verbs on studies whose trials are trained elsewhere."""

import json

import pytest

from hpo.account import ANYBODY
from hpo.cli.running import best_report
from hpo.service import external
from hpo.service.external import Outcome

STUDY = """
name: cache
trainer: external
objective: {metric: queries per second, direction: maximize}
parameters:
  cache.size: {low: 16, high: 4096, log: true, type: int}
  index: [hash, tree]
trials: 24
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cache.yaml"
    path.write_text(STUDY)
    return str(path)


def test_validate_completes_the_file_and_says_who_trains(hpo, file):
    code, out, _ = hpo("validate", file)

    assert code == 0
    assert "lease: " in out
    assert "trained by whoever asks for them" in out
    assert json.loads(hpo("validate", file, "-f", "json")[1])["plan"] is None


@pytest.mark.parametrize("verb", ["run", "check"])
def test_nothing_here_trains_it(hpo, file, verb):
    code, _, err = hpo(verb, file)

    assert code == 2
    assert "over REST" in err


def test_a_submitted_study_is_shown_as_one_that_is_trained_elsewhere(hpo, file):
    assert hpo("submit", file)[0] == 0

    _, out, _ = hpo("show", "cache")

    assert "maximize queries per second" in out
    assert "elsewhere" in out
    assert "run by" not in out
    assert json.loads(hpo("show", "cache", "-f", "json")[1])["data"] == {}


@pytest.mark.parametrize("place", ["here", "server"], indirect=True)
def test_who_submits_it_is_told_that_its_trials_can_be_asked_for_and_nobody_is_missed(hpo, file, place):
    _, _, err = hpo("submit", file)

    assert "the trials of study cache can be asked for; `hpo watch cache` follows it" in err
    assert "nobody runs" not in err
    assert "resume" not in err


def test_it_can_be_forked_paused_resumed_and_added_to(hpo, file):
    hpo("submit", file)

    assert "can be asked for" in hpo("fork", "cache")[2]
    assert hpo("pause", "cache")[0] == 0
    assert "can be asked for again" in hpo("resume", "cache")[2]
    assert "whoever asks next" in hpo("enqueue", "cache", "index=tree", "cache.size=64")[2]


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("place", ["here", "server"], indirect=True)
def test_what_cannot_be_told_apart_is_not_cured_by_keys_that_its_file_may_not_have(hpo, file, database):
    hpo("submit", file)
    with database() as storage:
        for number, value in enumerate((113.5, 90.0)):
            external.ask(storage, ANYBODY, "cache", client="one", count=1)
            external.tell(storage, ANYBODY, "cache", number, Outcome(value=value))

    _, out, _ = hpo("best", "cache", "--top", "2")

    assert "whether these can be told apart is unknown" in out
    assert "`hpo enqueue` has a setting tried once more" in out
    assert "repeats" not in out


def test_its_best_trial_is_not_said_to_stand_on_rows():
    best = {"study": "cache", "number": 16, "value": 113.5, "stderr": None, "metric": "queries per second"}
    best |= {"params": {"index": "tree"}, "fixed": {}, "test": None, "states": {"COMPLETE": 4}}
    best |= {"n_trials": 4, "seconds": 2.0}

    told = best_report(best, rows=False)

    assert told.startswith("best queries per second of cache: 113.5 (trial 16)\n")
    assert "rows" not in told

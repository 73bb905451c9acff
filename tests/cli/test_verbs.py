"""What the verbs answer and do."""

import csv
import io
import json
import os

import pytest

from hpo.service import specfile
from hpo.service.processes import this_process
from hpo.states import StudyState, Wanted

# On the local database, and on a server over it.
pytestmark = [
    pytest.mark.usefixtures("place"),
    pytest.mark.parametrize("place", ["here", "server"], indirect=True),
]


def test_best_answers_value_setting_and_test_score(hpo, study, place):
    study(test=(1, {"accuracy": 0.8}))

    code, out, _ = hpo("best", "digits")

    assert code == 0
    assert "best accuracy of digits on validation rows: 0.9 (trial 1)" in out
    assert "learning_rate  0.01" in out
    assert "on test rows: accuracy 0.8" in out
    assert "hpo diagnose digits" in out
    assert "hpo trials digits --sort -value" in out
    assert ("optuna-dashboard sqlite:///" in out) is (place == "here")
    assert out.endswith("/studies/digits\n") is (place == "server")


def test_best_is_quiet_about_the_next_commands_when_asked(hpo, study):
    study()

    assert "next:" not in hpo("best", "digits", "--quiet")[1]


def test_the_best_two_come_as_a_list(hpo, study):
    study()

    _, out, _ = hpo("best", "digits", "--top", "2", "-f", "json")

    assert [best["number"] for best in json.loads(out)] == [1, 0]


def test_the_best_few_say_which_cannot_be_told_apart(hpo, study):
    study(values=(0.5, 0.9, 0.6))

    _, table, _ = hpo("best", "digits", "--top", "3")
    _, quiet, _ = hpo("best", "digits", "--top", "3", "--quiet")
    _, out, _ = hpo("best", "digits", "--top", "3", "-f", "json")

    # Two validation rows tell nothing apart.
    assert [best["tied_with_best"] for best in json.loads(out)] == [True, True, True]
    assert [line.split()[:3] for line in table.splitlines()[1:4]] == [
        ["1", "0.9", "="],
        ["2", "0.6", "="],
        ["0", "0.5", "="],
    ]
    assert "trials 2 and 0 cannot be told apart from trial 1 (=)" in table
    assert "told apart" not in quiet


def test_trials_are_sorted_limited_and_chosen_by_state(hpo, study):
    study()

    assert [
        t["number"] for t in json.loads(hpo("trials", "digits", "--sort", "-value", "-f", "json")[1])
    ] == [
        1,
        0,
        2,
    ]
    assert [t["number"] for t in json.loads(hpo("trials", "digits", "--state", "FAIL", "-f", "json")[1])] == [
        2
    ]
    rows = list(csv.DictReader(io.StringIO(hpo("trials", "digits", "--limit", "1", "-f", "csv")[1])))
    assert [row["params.learning_rate"] for row in rows] == ["0.01"]
    assert "diverged@1" in hpo("trials", "digits")[1]


def test_ls_and_show_say_how_far_a_study_is(hpo, study):
    study()

    assert "3/4" in hpo("ls")[1]
    shown = hpo("show", "digits")[1]
    assert "COMPLETED" in shown
    assert "3 of 4 (COMPLETE 2, FAIL 1)" in shown
    assert "began at 2.31, 6 % dead units" in shown  # trial 1, the best


def test_ls_of_no_studies_says_how_to_make_one(hpo):
    code, out, err = hpo("ls")

    assert (code, out) == (0, "")
    assert "hpo run --data digits" in err or "hpo submit --data digits" in err
    assert json.loads(hpo("ls", "-f", "json")[1]) == []


def test_pause_leaves_word_for_a_living_process(hpo, study, database):
    study(state=StudyState.RUNNING)

    code, _, err = hpo("pause", "digits")

    assert code == 0
    assert f"process {os.getpid()}" in err
    with database() as storage:
        assert storage.get_study("digits").wanted is Wanted.PAUSE


def test_pause_answers_programs_with_the_study_and_its_driver(hpo, study):
    study(state=StudyState.RUNNING)

    answer = json.loads(hpo("pause", "digits", "-f", "json")[1])

    assert (answer["name"], answer["state"], answer["wanted"]) == ("digits", "RUNNING", "pause")
    assert answer["driver"]["pid"] == os.getpid()


def test_an_export_is_what_the_end_of_its_name_says(hpo, study, tmp_path):
    study()

    hpo("export", "digits", "-o", "trials.json")
    hpo("export", "digits", "-o", "trials.txt")

    assert json.loads((tmp_path / "trials.json").read_text())[1]["value"] == 0.9
    assert (tmp_path / "trials.txt").read_text().startswith("number,state,")


def test_a_table_of_trials_leaves_out_columns_that_say_nothing(hpo, study):
    study()
    study("smooth", values=[0.5])

    assert hpo("trials", "digits")[1].split()[:6] == [
        "number",
        "state",
        "value",
        "epochs",
        "best_epoch",
        "reason",
    ]
    assert "reason" not in hpo("trials", "smooth")[1]


def test_verbs_move_a_study_that_nobody_drives(hpo, study, database):
    study(state=StudyState.PAUSED)

    assert hpo("stop", "digits")[0] == 0

    with database() as storage:
        assert storage.get_study("digits").state is StudyState.COMPLETED


def test_an_illegal_move_is_exit_1_and_says_what_is_legal(hpo, study):
    study(state=StudyState.CANCELLED)

    code, _, err = hpo("pause", "digits")

    assert code == 1
    assert "CANCELLED for good" in err


def test_watch_ends_with_the_study(hpo, study):
    study()
    study("failed", values=[None], state=StudyState.FAILED)

    assert hpo("watch", "digits")[:2] == (0, "study digits is COMPLETED: 3 of 4 trials\n")
    assert hpo("watch", "failed")[0] == 3


def test_rm_asks_and_no_is_no(hpo, study, database, monkeypatch):
    study()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    code, _, err = hpo("rm", "digits")

    assert code == 1
    assert "nothing was done" in err
    with database() as storage:
        assert storage.get_study("digits")


def test_rm_without_anybody_to_answer_says_yes_is_needed(hpo, study, monkeypatch):
    study()
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    code, _, err = hpo("rm", "digits")

    assert code == 2
    assert err.splitlines()[-1] == "error: nobody answers; --yes does"


def test_rm_with_yes_removes_the_study(hpo, study):
    study()

    assert hpo("rm", "digits", "--yes")[0] == 0
    assert hpo("show", "digits")[0] == 4


def test_export_writes_a_file_or_standard_output(hpo, study, tmp_path):
    study()

    assert hpo("export", "digits", "-o", "trials.parquet", "-f", "parquet")[0] == 0
    assert (tmp_path / "trials.parquet").read_bytes()[:4] == b"PAR1"
    assert json.loads(hpo("export", "digits", "-f", "json")[1])[1]["value"] == 0.9
    assert hpo("export", "digits")[1].startswith("number,state,")
    assert hpo("export", "digits", "-o", "-")[1] == hpo("export", "digits")[1]
    assert not (tmp_path / "-").exists()


def test_validate_says_what_a_study_says_in_vain(hpo):
    wanted = ("validate", "--data", "iris", "--set", "parameters.step_epochs=3")
    sentence = (
        "parameters.step_epochs changes nothing: it counts where schedule is step, and here it is constant"
    )

    assert f"note: {sentence}\n" in hpo(*wanted)[2]
    assert json.loads(hpo(*wanted, "-f", "json")[1])["notes"] == [sentence]
    assert "note:" not in hpo("validate", "--data", "iris")[2]


@pytest.fixture
def csv_file(tmp_path):
    path = tmp_path / "small.csv"
    path.write_text("a,b,y\n" + "".join(f"{i % 7},{i % 5},{'yes' if i % 3 else 'no'}\n" for i in range(60)))
    return path


def test_bytes_that_are_kept_already_keep_their_name_and_that_is_said(hpo, csv_file):
    hpo("data", "add", str(csv_file), "--name", "first.csv")

    code, out, said = hpo("data", "add", str(csv_file), "--name", "second.csv")
    _, _, unnamed = hpo("data", "add", str(csv_file))
    _, _, same = hpo("data", "add", str(csv_file), "--name", "first.csv")

    sentence = "these bytes are kept already, as first.csv, and stay so;"
    assert (code, json.loads(hpo("data", "ls", "-f", "json")[1])[-1]["name"]) == (0, "first.csv")
    assert said.startswith(sentence)
    assert f"--data {out.strip()}` searches on it" in said
    assert unnamed.startswith(sentence)
    assert same.startswith("first.csv is kept;")


def test_a_data_set_is_added_listed_shown_and_removed(hpo, csv_file):
    code, out, _ = hpo("data", "add", str(csv_file))
    key = out.strip()

    assert code == 0
    assert key.startswith("ds_")
    assert key in hpo("data", "ls")[1]
    assert json.loads(hpo("data", "show", key, "--target", "y", "-f", "json")[1])["classes"] == ["no", "yes"]
    assert hpo("data", "rm", key, "--yes")[0] == 0
    assert key not in hpo("data", "ls")[1]


def test_a_data_set_without_a_target_shows_its_columns_and_says_what_is_missing(hpo, csv_file):
    code, out, _ = hpo("data", "show", str(csv_file))
    record = json.loads(hpo("data", "show", str(csv_file), "-f", "json")[1])

    assert code == 0
    assert "--target NAME" in out
    assert [column["kind"] for column in record["columns"]] == ["number", "number", "category"]
    assert (record["preview"]["rows"][1], record["n_rows"], record["task"]) == ([1, 1, "yes"], 60, None)


def test_what_no_study_could_read_is_not_kept(hpo, tmp_path):
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n")

    code, _, said = hpo("data", "add", str(tmp_path / "ragged.csv"))

    assert code == 2
    assert "the file 'ragged.csv' has 2 columns, but row 2 has 1" in said
    assert "ds_" not in hpo("data", "ls")[1]


@pytest.fixture
def front(database):
    """A study of two objectives in the database: three trials on the front, one off it."""
    from hpo.cohort import CohortPlan
    from hpo.states import TrialState
    from hpo.study import NewStudy
    from hpo.trial import TrialPlan, TrialResult

    values = [(0.9, 500.0), (0.95, 900.0), (0.8, 100.0), (0.7, 600.0)]
    text = "{name: two, data: digits, objective: [accuracy, n_parameters], parameters: {learning_rate: [0.1, 0.2]}}"
    spec = specfile.parse(
        text,
        overrides={
            "objective": [
                {"metric": "accuracy", "direction": "maximize"},
                {"metric": "n_parameters", "direction": "minimize"},
            ]
        },
    )
    with database() as storage:
        storage.create_study(
            NewStudy(
                name="two",
                direction=spec.objectives[0].direction,
                metric="accuracy",
                n_trials=4,
                spec=specfile.to_json(spec),
                data={
                    "sha256": "ab",
                    "source": "digits",
                    "n_rows": 9,
                    "n_features": 2,
                    "task": "classification",
                }
                | {"target": "digit", "n_train": 5, "n_validation": 2, "n_test": 2},
                objectives=spec.objectives,
            )
        )
        claim = storage.claim_study("two", this_process())
        plans = [TrialPlan(number=n, params={"learning_rate": 0.1}) for n in range(4)]
        [cohort] = storage.plan_trials(claim, spec.parameters, plans, [CohortPlan(numbers=(0, 1, 2, 3))])
        cohort = storage.start_cohort(claim, cohort.id)
        ended = [
            TrialResult(number=n, state=TrialState.COMPLETE, values=pair, best_epoch=1, epochs=2)
            for n, pair in enumerate(values)
        ]
        storage.finish_trials(claim, cohort.id, cohort.attempt, ended, done=True)
        storage.release(claim, StudyState.COMPLETED)


def test_with_several_objectives_best_shows_the_front(hpo, front):
    code, out, _ = hpo("best", "two")

    lines = out.splitlines()
    assert code == 0
    assert lines[0] == (
        "Pareto front of two on validation rows (maximize accuracy and minimize n_parameters): 3 trials"
    )
    assert lines[1].split() == ["number", "accuracy", "n_parameters", "learning_rate"]
    assert [line.split()[:3] for line in lines[2:5]] == [
        ["1", "0.95", "900"], ["0", "0.9", "500"], ["2", "0.8", "100"]
    ]  # fmt: skip
    assert [one["number"] for one in json.loads(hpo("best", "two", "-f", "json")[1])["front"]] == [1, 0, 2]


def test_with_several_objectives_show_and_trials_name_them(hpo, front):
    shown, listed = hpo("show", "two")[1], hpo("trials", "two")[1]

    assert "maximize accuracy and minimize n_parameters on validation rows" in shown
    assert "3 trials on the Pareto front; the first: accuracy 0.95, n_parameters 900 (trial 1)" in shown
    assert listed.splitlines()[0].split()[:4] == ["number", "state", "accuracy", "n_parameters"]
    assert hpo("ls")[1].splitlines()[1].split()[4] == "0.95"
    assert "accuracy 0.95, n_parameters 900" in hpo("show", "two", "--trial", "1")[1]


def test_a_trial_is_shown_whole_with_how_to_train_it_once_more(hpo, study):
    study()

    code, out, _ = hpo("show", "digits", "--trial", "1")

    assert code == 0
    assert "accuracy  " in out
    assert "learning_rate  0.01" in out
    assert out.splitlines()[-2:] == ["  hpo enqueue digits learning_rate=0.01", "  hpo resume digits"]
    assert hpo("show", "digits", "--trial", "99")[0] == 4


def test_a_report_is_a_file_called_after_the_study_or_as_one_likes(hpo, study, tmp_path):
    study()

    code, out, err = hpo("report", "digits")
    assert hpo("report", "digits", "-o", "other.html", "--quiet")[1] == ""
    found = json.loads(hpo("report", "digits", "-o", "other.html", "-f", "json")[1])
    _, shown, _ = hpo("report", "digits", "-o", "-")

    assert (code, err) == (0, "")
    assert "digits.html holds the report of study digits" in out
    text = (tmp_path / "digits.html").read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert text == (tmp_path / "other.html").read_text() == shown
    assert found == {"study": "digits", "file": "other.html", "n_bytes": len(text.encode())}
    assert hpo("report", "nobody")[0] == 4
    assert not (tmp_path / "nobody.html").exists()

"""The door: every error is one sentence on standard error with the contract's exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hpo as package
from hpo.cli.main import EXAMPLES, FAMILIES, VERBS
from hpo.states import StudyState

# Subprocesses find the package where this process found it.
IMPORTABLE = {"PYTHONPATH": str(Path(package.__file__).parents[1])}

ALL_VERBS = [*VERBS, *(f"{family} {verb}" for family, (_, verbs) in FAMILIES.items() for verb in verbs)]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["best", "nothing"], 4, "no study"),
        (["best"], 2, "missing argument 'STUDY'"),
        (["bets", "digits"], 2, "did you mean 'best'?"),
        (["reprot"], 2, "no such command 'reprot'"),
        (["run", "--trails", "3"], 2, "--trials"),
        (["run"], 2, "give a study file"),
        (["run", "--data", "iris", "--trials", "many"], 2, "--trials: must be a whole number"),
        (["trials", "nothing", "--limit", "0"], 2, "--limit: must be at least 1"),
        (["best", "nothing", "-f", "xml"], 2, "--format: must be one of 'table', 'json', 'csv'"),
        (["data", "rm", "iris", "--yes"], 4, "iris is built in"),
        (["run", "nowhere.yaml"], 2, "nowhere.yaml"),
        (["validate", "--data", "digits", "--trials", "0"], 2, "trials: "),
        (["validate", "--data", "digits", "--space", "mlp-defalt"], 2, "did you mean 'mlp-default'?"),
        (["validate", "--data", "digits", "--set", "epochs"], 2, "KEY=VALUE"),
        (["trials", "nothing", "--sort", "best"], 4, "no study"),
        (["spaces", "learning-rat"], 4, "did you mean 'learning-rate'?"),
        (["data", "show", "digit"], 4, "did you mean 'digits'?"),
        (["data", "rm", "nothing", "--yes"], 4, "data set"),
        (["data", "add", "nowhere.csv"], 2, "nowhere.csv"),
        (["pause", "nothing"], 4, "no study"),
        (["rm", "nothing", "--yes"], 4, "no study"),
        (["resume", "nothing"], 4, "no study"),
        (["watch", "nothing"], 4, "no study"),
        (["export", "nothing"], 4, "no study"),
        (["keys", "revoke", "nothing"], 4, "no API key has the id 'nothing'"),
        (["keys", "revoke", f"hpo_{'x' * 43}"], 2, "id: this is the secret of a key"),
        (["keys", "create"], 2, "missing argument 'OWNER'"),
        (["keys", "create", "a b"], 2, "owner: must be a name or an address"),
        (["keys", "create", f"hpo_{'x' * 43}"], 2, "owner: must be a name or an address"),
        (
            ["keys", "create", "ada", "--role", "root"],
            2,
            "--role: must be one of 'viewer', 'submitter', 'admin'",
        ),
        (["keys", "create", "ada", "--expires", "soon"], 2, "expires: must be a time like"),
        (["keys", "create", "ada", "--expires", "9999999d"], 2, "expires: must be at most 36500d"),
        (["keys", "create", "ada", "--studies", "-1"], 2, "studies: must be from 0 to 2,147,483,647, got -1"),
        (["keys", "create", "ada", "--slots", "3000000000"], 2, "slots: must be from 0 to 2,147,483,647"),
    ],
)
def test_an_error_is_one_sentence_and_nothing_on_standard_output(hpo, words, code, sentence):
    found, out, err = hpo(*words)

    assert found == code
    assert out == ""
    assert err.startswith("error: ")
    assert sentence in err
    assert err.count("\n") == 1


def test_help_lists_every_verb_there_is_and_none_that_comes_later(hpo):
    code, out, _ = hpo("--help")

    assert code == 0
    assert all(f" {verb} " in out for verb in VERBS)


def test_no_words_at_all_show_the_help(hpo):
    assert hpo()[:2] == hpo("--help")[:2]
    assert hpo("data")[0] == 0


@pytest.mark.parametrize("verb", ALL_VERBS)
def test_every_verb_has_help_with_an_example(hpo, verb):
    code, out, err = hpo(*verb.split(), "--help")

    assert (code, err) == (0, "")
    assert "--help" in out
    assert "--cohort-lanes" not in out
    assert f"Example: hpo {verb}" in " ".join(out.split())


@pytest.mark.parametrize("example", EXAMPLES.values())
def test_the_words_of_an_example_are_known(hpo, example):
    _, _, err = hpo(*example.split()[1:], "--format", "xml")  # the last word stops it before it does anything

    assert "--format: must be one of" in err


@pytest.mark.parametrize("verb", ALL_VERBS)
def test_every_verb_answers_programs_too(hpo, verb):
    assert "--format" in hpo(*verb.split(), "--help")[1]


def test_a_home_that_is_a_file_is_named(hpo, home):
    home.write_text("")

    code, _, err = hpo("ls")

    assert code == 1
    assert err.startswith("error: HPO_HOME: ")


def test_an_unforeseen_error_is_kept_in_the_log(hpo, home, monkeypatch):
    home.mkdir()
    monkeypatch.setattr("hpo.cli.looking.LS_COLUMNS", None)  # a fault in the program
    monkeypatch.setattr("hpo.cli.session.backend", None)

    code, out, err = hpo("ls")

    assert (code, out) == (1, "")
    assert "Traceback" not in err
    assert str(home / "log") in err
    assert "TypeError" in (home / "log").read_text()


@pytest.mark.parametrize(("verb", "first"), [("trials digits -f json", "["), ("export digits", "n")])
def test_a_reader_that_leaves_is_no_error(study, verb, first):
    study()
    program = [sys.executable, "-m", "hpo.cli.main"]

    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{' '.join(program)} {verb} | head -c 1"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | IMPORTABLE,
    )

    assert (done.stdout, done.stderr) == (first, "")


def test_a_quick_verb_imports_nothing_heavy(study, home):
    study()
    code = (
        "import sys; from hpo.cli.main import main; code = main(['ls']);"
        "print(code, sorted({'torch', 'ray', 'pandas', 'sklearn', 'optuna', 'alembic', 'rich', 'httpx', 'fastapi', 'uvicorn'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | IMPORTABLE
    )

    assert done.stdout.splitlines()[-1] == "0 []"


def test_the_version_is_one_line(hpo):
    code, out, _ = hpo("--version")

    assert code == 0
    assert out.startswith("hpo ")
    assert out.count("\n") == 1


def test_a_failed_study_without_a_value_is_exit_3(hpo, study):
    study(values=[None, None], state=StudyState.FAILED)

    code, _, err = hpo("best", "digits")

    assert code == 3
    assert "2 FAIL" in err


def test_json_is_the_only_thing_on_standard_output(hpo, study):
    study(test=(1, {"accuracy": 0.8}))

    for words in (
        ["ls"],
        ["show", "digits"],
        ["trials", "digits"],
        ["best", "digits"],
        ["best", "digits", "--top", "2"],
        ["spaces"],
        ["spaces", "mlp-default"],
        ["data", "ls"],
        ["data", "show", "iris"],
        ["validate", "--data", "iris"],
        ["watch", "digits"],
        ["stop", "digits"],
        ["doctor"],
        ["rm", "digits", "--yes"],
    ):
        code, out, _ = hpo(*words, "-f", "json")
        assert code == 0, words
        assert json.loads(out), words

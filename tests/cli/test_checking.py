"""`hpo check`, in a process of its own, since torch reads the environment when it is first imported."""

import json
import subprocess
import sys

import pytest


def check(*words):
    """Exit code, standard output and error of `hpo check`."""
    done = subprocess.run(
        [sys.executable, "-m", "hpo.cli.main", "check", *words], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_a_sound_network_passes_and_its_rates_are_suggested():
    code, out, err = check("--data", "iris", "-f", "json", "--set", "parameters.optimizer=adam")

    assert code == 0, err
    found = json.loads(out)
    assert found["passed"]
    assert found["network"]["optimizer"] == "adam"
    assert found["memorised"]["value"] == 1.0
    rates = found["learning_rates"]
    assert rates["points"][0]["learning_rate"] == 1e-6
    assert rates["learning_rate"]["low"] < rates["best"] <= rates["learning_rate"]["high"]
    assert "searched parameters stand at their defaults: learning_rate" in err


def test_data_that_cannot_be_told_apart_fails_with_a_sentence(tmp_path):
    table = tmp_path / "coin.csv"
    table.write_text("x,y\n" + "".join(f"{i // 2 % 2},{'ab'[i % 2]}\n" for i in range(120)))

    code, out, _ = check("--data", str(table), "--target", "y")

    assert code == 3
    assert "20 rows by heart: FAILED" in out
    assert "20 of the 20 rows have the inputs of another row and a different target" in out
    assert "it falls at none of them" in out


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((), 2, "give a data set with --data"),
        (("--data", "digitz"), 2, "did you mean 'digits'"),
        (("--data", "digits", "--set", "parameters.optimizer=adan"), 2, "did you mean 'adam'"),
        (("--data", "digits", "--set", "parameters.los=mse"), 2, "parameters.los"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(hpo, words, code, sentence):
    found, out, err = hpo("check", *words)

    assert (found, out) == (code, "")
    assert sentence in err

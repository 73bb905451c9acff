"""The page of the recipe: its blocks run as they stand, and what it advises is there to be searched."""

import re

import pytest

from hpo.analysis.diagnosis.illnesses import ILLNESSES
from hpo.hyperparams import ACTIVATIONS, HYPERPARAMETERS, INITIALIZERS, WIDTH_RULES
from hpo.service import space_files
from tests.docs.pages import Shell, blocks_of, text_of

PAGE = "docs/explain/recipe.md"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_block_of_the_page_runs(tmp_path, warm):
    shell, said = Shell(tmp_path, warm=warm), []

    for block in blocks_of(PAGE):
        said.append(shell.run(block))

    assert len(said) == 5
    assert "learning_rate: {low:" in said[0]
    assert len([line for line in said[1].splitlines() if " COMPLETE " in line]) == 5
    assert "round" in said[2]
    assert "name: rounds-next" in (shell.folder / "next.yaml").read_text()


def test_what_to_begin_with_are_names_that_there_are():
    table = text_of(PAGE).split("## Values to begin with")[1]

    named = set(re.findall(r"\b[a-z]+_(?:normal|uniform|relu)\b", table))

    assert named <= {*INITIALIZERS, *ACTIVATIONS}
    assert {"he_normal", "glorot_uniform", "leaky_relu"} <= named
    assert {"mean", "samples"} == set(WIDTH_RULES)
    assert "cocktail" in space_files.names()


def test_cures_are_hyperparameters_and_what_it_calls_ill_is_diagnosed():
    table = text_of(PAGE).split("| training | validation |")[1].split("\n\n")[0]
    rows = {
        "a rate too low, or vanishing gradients": ("rate_too_low", "vanishing_gradients"),
        "a rate too high": ("rate_too_high", "diverged"),
        "underfitting": ("underfit",),
        "overfitting": ("overfit",),
        "a range too narrow": ("at_edge",),
        "noise": ("told_apart",),
    }

    assert [line.split("|")[3].strip() for line in table.splitlines()[2:]] == list(rows)
    assert {code for codes in rows.values() for code in codes} <= set(ILLNESSES)
    assert set(re.findall(r"`(\w+)`", table)) <= {*HYPERPARAMETERS, "repeats", "folds"}

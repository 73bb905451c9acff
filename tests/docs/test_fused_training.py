"""The page on fused training: its program trains to the same bits, and its lists and numbers are those of the code."""

import json
import re
import runpy

import pytest

from hpo.coordinator import capacity, planner, saturation
from hpo.fused.engines import FEWEST_PRODUCTS
from hpo.fused.reference import ACTIVATIONS, LOSSES, OPTIMIZERS
from hpo.hyperparams import HYPERPARAMETERS
from hpo.model import rung_of
from tests.docs.pages import ROOT, Shell, blocks_of, text_of

PAGE = "docs/explain/fused-training.md"
PROGRAM = ROOT / "docs" / "tiny_fused.py"
WORDS = " ".join(text_of(PAGE).split())


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (
            "m * moves.view(K, *[1] * (p.dim() - 1)), root",
            "m, root, value=float(moves[0])",
        ),  # one rate for all
        (".addcmul_(w2, decay)", ""),
        (".masked_fill_(h == 0, 0.0)", ""),
    ],
)
def test_a_mistake_in_the_tiny_program_is_seen_by_itself(tmp_path, right, wrong):
    text = PROGRAM.read_text(encoding="utf-8")
    assert right in text
    assert "1024, 64, 5\n" in text
    changed = tmp_path / "changed.py"
    changed.write_text(text.replace(right, wrong, 1).replace("1024, 64, 5\n", "1024, 64, 1\n"))  # one epoch

    with pytest.raises(AssertionError, match="differs"):
        runpy.run_path(str(changed), run_name="__main__")


def test_the_program_is_as_short_as_the_page_says_and_the_page_quotes_it():
    text = PROGRAM.read_text(encoding="utf-8")
    (quoted,) = [block.text for block in blocks_of(PAGE) if block.language == "python"]

    assert len([line for line in text.splitlines() if line.strip()]) <= 80
    assert quoted in text


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_every_command_of_the_page_runs(tmp_path, warm):
    shell = Shell(tmp_path, warm=warm)
    (shell.folder / "docs").symlink_to(ROOT / "docs")
    (shell.folder / "search_spaces").symlink_to(ROOT / "search_spaces")

    said = [shell.run(block) for block in blocks_of(PAGE) if block.language == "bash"]

    assert re.fullmatch(r"32 lanes together [\d.]+ s, one after another [\d.]+ s: the same bits\n", said[0])
    assert "the widest of 32 lanes" in said[1]


def test_what_trials_of_a_cohort_share_is_what_is_not_fusible():
    listed = text_of(PAGE).split("rows their meaning:")[1].split("Everything else")[0]

    assert set(re.findall(r"`(\w+)`", listed)) == {
        name for name, h in HYPERPARAMETERS.items() if not h.fusible
    }


def test_the_numbers_of_the_page_are_those_of_the_code():
    assert f"{len(OPTIMIZERS)} optimizers, {len(ACTIVATIONS)} activations, five losses" in WORDS
    assert len(LOSSES) == 5
    assert f"fewer than {FEWEST_PRODUCTS} products" in WORDS
    assert f"{planner.FEWEST_IN_WINDOW} to {planner.MOST_IN_WINDOW:,} trials" in WORDS
    assert f"{capacity.CACHE_BYTES / 2**20:g} MiB" in WORDS
    assert f"{capacity.FEWEST_LANES} to {capacity.MOST_LANES_CPU} lanes" in WORDS
    assert f"begins with {saturation.FIRST_LANES_GPU}" in WORDS
    assert f"up to {saturation.MOST_LANES_GPU:,}" in WORDS
    assert [rung_of(width) for width in (1, 5, 9, 13, 17)] == [4, 8, 12, 16, 20]


def test_what_it_is_worth_is_what_was_measured():
    measured = json.loads((ROOT / "benchmarks/results/core.json").read_text())["rows"]
    rows = text_of(PAGE).split("times as quick |")[1].splitlines()[2:6]

    shown = [tuple(float(cell.split()[0]) for cell in row.strip("|").split("|")[1:]) for row in rows]

    for (ours, plain, ratio), name in zip(shown, ("playground", "digits", "fashion", "cifar"), strict=True):
        found = measured[name]
        assert ours == pytest.approx(found["ms_per_trial"], rel=0.01)
        assert plain == pytest.approx(found["peer_ms_per_trial"], rel=0.01)
        assert ratio == pytest.approx(found["ratio"], rel=0.03)

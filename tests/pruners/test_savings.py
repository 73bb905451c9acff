"""How much of a study a pruner leaves to be trained."""

import pytest

from hpo.pruners.own import completed, own_pruner
from hpo.pruners.savings import share_trained
from hpo.study import Direction, PrunerSpec

ALL = 27
CASES = [
    # 81 train 3 epochs, 27 of them 6 more, 9 of these 18 more
    (PrunerSpec(name="halving", min_epochs=3, factor=3, bracket=81), 162, (81 * 3 + 27 * 6 + 9 * 18) / 81),
    # the last bracket has one trial, which nobody beats
    (PrunerSpec(name="halving", min_epochs=3, factor=3, bracket=81), 82, (567 + 27) / 82),
    # brackets of 27, 12, 6 and 4: of the first 9, 3 and 1 go on at 1, 3 and 9, and so forth
    (
        PrunerSpec(name="hyperband", min_epochs=1, factor=3),
        49,
        ((27 + 9 * 2 + 3 * 6 + 18) + (12 * 3 + 4 * 6 + 2 * 18) + (6 * 9 + 2 * 18) + 4 * 27) / 49,
    ),
    # the worse half ends at once, and then nobody
    (PrunerSpec(name="median", min_epochs=5, bracket=10), 10, (10 * 5 + 5 * 22) / 10),
]


@pytest.mark.parametrize(("spec", "trials", "epochs"), CASES)
def test_the_epochs_left_are_those_counted_by_hand(spec, trials, epochs):
    pruner = own_pruner(completed(spec, ALL), ALL, Direction.MAXIMIZE)

    assert share_trained(pruner, epochs=ALL, trials=trials) == pytest.approx(epochs / ALL)


def test_a_long_study_is_judged_by_its_first_brackets():
    pruner = own_pruner(completed(PrunerSpec(name="halving"), 81), 81, Direction.MINIMIZE)
    first = share_trained(pruner, epochs=81, trials=4096)

    assert share_trained(pruner, epochs=81, trials=10_000_000) == first

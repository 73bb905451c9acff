"""Optuna's pruners by name: Optuna's own list is the oracle."""

import optuna

from hpo.pruners.names import NAMES


def test_every_pruner_of_optunas_that_judges_can_be_named():
    assert set(NAMES) == set(optuna.pruners.__all__) - {"BasePruner", "NopPruner"}

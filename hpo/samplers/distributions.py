"""The vocabulary's ranges and choices as Optuna's distributions, and the trials behind a number."""

from __future__ import annotations

import warnings

from optuna.distributions import BaseDistribution, json_to_distribution

from hpo.space import Searched, SearchSpace


def distribution_of(parameter: Searched) -> BaseDistribution:
    """Optuna's distribution of a parameter, the one the database holds."""
    with warnings.catch_warnings():
        # Choices of mixed types and long names are fine: the database stores them as JSON.
        warnings.simplefilter("ignore")
        return json_to_distribution(parameter.distribution_json())


def distributions_of(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Optuna's distribution of every searched parameter."""
    return {name: distribution_of(parameter) for name, parameter in space.searched.items()}

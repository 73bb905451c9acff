"""Which models a study has: that of its best trial, those that somebody asked for, and how to come by another."""

from __future__ import annotations

from dataclasses import replace

from hpo.dataset import Preparation
from hpo.errors import NotRepeatable
from hpo.models import from_bytes, to_bytes
from hpo.states import TrialState
from hpo.study import Study
from hpo.trial import Trial


def with_preparation(data: bytes, preparation: Preparation) -> bytes:
    """A worker's model with what a worker does not know: what was done to the columns. Raises DataError."""
    return to_bytes(replace(from_bytes(data), preprocessing=preparation)) if preparation else data


def check_repeatable(study: Study, trial: Trial) -> None:
    """Raises NotRepeatable for a trial that has no weights to come by: of another trainer, unfinished, without a value."""
    if study.spec.get("trainer") == "external":
        raise NotRepeatable(
            f"the trials of study {study.name!r} are trained elsewhere, and so are its models"
        )
    if not trial.state.finished:
        raise NotRepeatable(f"trial {trial.number} of study {study.name!r} is still {trial.state.value}")
    if trial.state is TrialState.FAIL or trial.first is None or trial.best_epoch is None:
        why = trial.reason or "it has no value"
        raise NotRepeatable(f"trial {trial.number} of study {study.name!r} has no result: {why}")

"""Do one task in this process: train a cohort or score a model, and turn every failure into a report."""

from __future__ import annotations

import logging
import math
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

from hpo.cohort import (
    CohortDone,
    CohortFailed,
    CohortHalted,
    CohortSaved,
    CohortTask,
    EpochResult,
    Report,
    ScoreDone,
    ScoreTask,
    Task,
)
from hpo.dataset import TrainingData
from hpo.errors import HpoError, PoolError
from hpo.fused.device import products, release_memory
from hpo.fused.layers import LaneWeights
from hpo.fused.scoring import score
from hpo.fused.stopping import stderr_of
from hpo.fused.trainer import Trained, Trainer
from hpo.models import Lane, Model, from_bytes, to_bytes
from hpo.states import Reason
from hpo.workers.evolving import evolving
from hpo.workers.judging import Halted, defers, judged
from hpo.workers.mailbox import Cancelled
from hpo.workers.saving import Saver

log = logging.getLogger(__name__)

BEYOND_REPAIR = 70  # exit code of a process whose GPU does nothing more for it
# torch says this in RuntimeErrors of its own kinds, on a CPU and on a GPU.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")

# Data is mapped read-only on purpose, and training copies it; torch would warn in every worker's log.
warnings.filterwarnings("ignore", message="The given NumPy array is not writable")


def perform(
    task: Task,
    data: Callable[[], TrainingData | None],
    *,
    device: str,
    report: Callable[[EpochResult], Sequence[bool] | None],
    save: Callable[[CohortSaved], None] = lambda saved: None,
) -> Report:
    """Do a task; its last report, which is CohortFailed (attempt 0 for a ScoreTask) when it cannot be done.

    data: gives what was put under the task's key, or None; called for a CohortTask only
    report: takes each epoch, answers the keep mask or None for all, and may raise Cancelled
    save: takes where a long cohort stands, every so often, if its task wants that
    """
    attempt = task.attempt if isinstance(task, CohortTask) else 0
    try:
        if isinstance(task, ScoreTask):
            return score_model(task)
        return train(task, _known(data(), task.data), device=device, report=report, save=save)
    except Cancelled as error:
        return _failed(task.id, attempt, Reason.CANCELLED, str(error))
    except HpoError as error:
        log.warning("task %d: %s", task.id, error)
        return _failed(task.id, attempt, Reason.ERROR, str(error))
    except Exception as error:  # a door: whatever went wrong is told to the pool
        log.exception("task %d", task.id)
        if device != "cpu" and _is_beyond_repair(error):
            os._exit(BEYOND_REPAIR)  # its cohort is lost, and trains again in a new process
        reason = Reason.OUT_OF_MEMORY if _is_out_of_memory(error) else Reason.ERROR
        return _failed(task.id, attempt, reason, _sentence(error))


def train(
    task: CohortTask,
    data: TrainingData,
    *,
    device: str,
    report: Callable[[EpochResult], Sequence[bool] | None],
    save: Callable[[CohortSaved], None] = lambda saved: None,
) -> CohortDone | CohortHalted:
    """Train a cohort to its end, or until it is to halt. Raises whatever the trainer or `report` raises."""
    release_memory(device)
    began = time.monotonic()
    halted = False
    with products(task.precision, device) as in_force:
        trainer = Trainer(replace(task, precision=in_force, judged=defers(task)), data, device=device)
        try:
            saver = Saver(task, trainer, report, save)
            shown = {number: trial.values for number, trial in trainer.trials.items()}
            trainer.run(evolving(trainer, data, judged(task, saver.report, shown)), saver.settled)
        except Halted:
            halted = True
    trained = trainer.trained()
    seconds = time.monotonic() - began
    log.info("cohort %d: %d lanes on %s, %.1f s", task.id, len(task.lanes), device, seconds)
    if halted:
        return CohortHalted(
            cohort=task.id,
            attempt=task.attempt,
            checkpoint=trainer.checkpoint(),
            standing=trainer.standing(),
            best_number=trained.best_number,
            best_value=trained.best_value,
            model=_model_bytes(task, data, trained),
            train_seconds=seconds,
            lane_steps=trained.lane_steps,
        )
    return CohortDone(
        cohort=task.id,
        attempt=task.attempt,
        best_number=trained.best_number,
        best_value=trained.best_value,
        model=_model_bytes(task, data, trained),
        train_seconds=seconds,
        lane_steps=trained.lane_steps,
    )


def score_model(task: ScoreTask) -> ScoreDone:
    """Score a kept model on the test rows, mean over its lanes. Raises DataError, UnknownName."""
    model = from_bytes(task.model)
    lanes = [
        LaneWeights(
            repeat=lane.repeat, fold=lane.fold, weights=lane.weights, biases=lane.biases, extras=lane.extras
        )
        for lane in model.lanes
    ]
    scores = score(model.shared, model.settings, lanes, model, task.test, task.metrics)
    stderrs = {name: stderr_of(values) for name, values in scores.items()}
    return ScoreDone(
        id=task.id,
        scores={name: math.fsum(values) / len(values) for name, values in scores.items()},
        stderrs={name: stderr for name, stderr in stderrs.items() if stderr is not None},
    )


def _model_bytes(task: CohortTask, data: TrainingData, trained: Trained) -> bytes | None:
    if trained.best_lanes is None or trained.best_number is None or trained.best_settings is None:
        return None
    model = Model(
        number=trained.best_number,
        task=data.task,
        n_features=data.n_features,
        n_classes=data.n_classes,
        shared=task.shared,
        settings=trained.best_settings,
        target_scaling=data.target_scaling(0),
        positive=data.positive,
        lanes=tuple(
            Lane(
                repeat=lane.repeat,
                fold=lane.fold,
                weights=lane.weights,
                biases=lane.biases,
                extras=lane.extras,
            )
            for lane in trained.best_lanes
        ),
    )
    return to_bytes(model)


def _known(data: TrainingData | None, key: str) -> TrainingData:
    if data is None:
        raise PoolError(f"no data was put under the key {key!r}")
    return data


def _failed(task: int, attempt: int, reason: Reason, detail: str) -> CohortFailed:
    return CohortFailed(cohort=task, attempt=attempt, reason=reason.value, detail=detail)


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY)


def _is_beyond_repair(error: Exception) -> bool:
    """Whether CUDA will answer everything in this process with the same error from now on.

    >>> _is_beyond_repair(RuntimeError("CUDA error: an illegal memory access was encountered"))
    True
    >>> _is_beyond_repair(RuntimeError("CUDA error: out of memory"))
    False
    """
    return isinstance(error, RuntimeError) and "CUDA error" in str(error) and not _is_out_of_memory(error)


def _sentence(error: Exception) -> str:
    """The first line of what an unexpected error says, with its class."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__

"""Fill in every default of a study once its data is known."""

from __future__ import annotations

from dataclasses import replace

from hpo.dataset import DatasetInfo, Task
from hpo.errors import SpecError
from hpo.hyperparams import HYPERPARAMETERS
from hpo.samplers.options import OPTIONS, batch_of
from hpo.samplers.points import grid_size
from hpo.service import populations
from hpo.service.checks import check_spec, highest, values_of
from hpo.service.external_files import complete_directions, completed_judge
from hpo.service.objectives import complete_objectives
from hpo.service.pruners import completed_pruner
from hpo.space import Range
from hpo.study import MAX_TRIALS, DataSpec, SamplerSpec, SplitSpec, StudySpec
from hpo.training import check_loss

DEFAULT_TRIALS = 100
DEFAULT_EPOCHS = 50
DEFAULT_RETRIES = 2
DEFAULT_LEASE = "60s"
DEFAULT_SHARE = 0.2
MOST_POINTS_UNASKED = 100_000  # a larger grid is trained only when somebody says that it is meant
OF_CLASSES = ("label_smoothing", "class_weight")  # hyperparameters that a regression has no use for


def complete(spec: StudySpec, info: DatasetInfo | None) -> StudySpec:
    """The study with task, objective, trials, epochs, split, seeds and limits filled in.

    info: None of a study that is trained elsewhere
    Completing twice changes nothing. Raises SpecError when the objective, a loss or the number of trials
    does not fit the data or the grid.
    """
    if spec.external:
        return _complete_external(spec)
    if spec.data is None or info is None:
        raise SpecError("is needed; write data: {source: digits}", field="data")
    _check_losses(spec, info)
    _check_batches(spec)
    completed = replace(
        complete_objectives(spec, info.task),
        data=_data(spec.data, spec.seed, info),
        trials=_trials(spec),
        epochs=spec.epochs or highest(spec.parameters.parameters.get("epochs")) or DEFAULT_EPOCHS,
        sampler=_sampler(spec),
        limits=replace(
            spec.limits, retries=DEFAULT_RETRIES if spec.limits.retries is None else spec.limits.retries
        ),
    )
    completed = replace(completed, pruner=populations.completed(completed))
    completed = completed_pruner(completed, batch=spec.sampler.batch)
    check_spec(completed)
    return completed


def _complete_external(spec: StudySpec) -> StudySpec:
    limits = replace(
        spec.limits,
        retries=DEFAULT_RETRIES if spec.limits.retries is None else spec.limits.retries,
        lease=DEFAULT_LEASE if spec.limits.lease is None else spec.limits.lease,
    )
    completed = replace(
        complete_directions(spec),
        trials=_trials(spec),
        sampler=_sampler(spec),
        pruner=completed_judge(spec),
        limits=limits,
    )
    check_spec(completed)
    return completed


def _data(data: DataSpec, seed: int, info: DatasetInfo) -> DataSpec:
    regression = info.task is Task.REGRESSION
    return replace(
        data,
        target=info.target or data.target,
        task=info.task.value,
        split=_split(data.split, seed),
        target_scaling=(data.target_scaling or "standardize") if regression else data.target_scaling,
    )


def _split(split: SplitSpec, seed: int) -> SplitSpec:
    """Shares for the parts that are not given; a column names the part of every row and needs none."""
    split = replace(split, seed=seed if split.seed is None else split.seed)
    if split.column is not None:
        return split
    validation = DEFAULT_SHARE if split.validation is None and split.folds is None else split.validation
    return replace(split, validation=validation, test=DEFAULT_SHARE if split.test is None else split.test)


def _sampler(spec: StudySpec) -> SamplerSpec:
    """With its seed, and its batch if it learns: one that stays when the study gets more trials."""
    sampler = replace(spec.sampler, seed=spec.seed if spec.sampler.seed is None else spec.sampler.seed)
    if sampler.name not in OPTIONS:
        return sampler
    return replace(sampler, batch=batch_of(sampler.name, sampler.batch, sampler.options, _trials(spec)))


def _trials(spec: StudySpec) -> int:
    n_enqueued = len(spec.enqueue)
    if spec.trials is not None and spec.trials < n_enqueued:
        raise SpecError(f"must be >= {n_enqueued}, the number of settings under enqueue", field="trials")
    if spec.sampler.name != "grid":
        return max(DEFAULT_TRIALS, n_enqueued) if spec.trials is None else spec.trials
    size = grid_size(spec.parameters)
    if points_unasked(spec) is not None:
        raise too_many_points(size)
    most = size + n_enqueued
    if spec.trials is not None and spec.trials > most:
        beside = f" and {n_enqueued:,} enqueued settings" if n_enqueued else ""
        raise SpecError(
            f"the grid has {size:,} points{beside}, so at most {most:,} trials; leave trials out for all of them",
            field="trials",
        )
    return most if spec.trials is None else spec.trials


def points_unasked(spec: StudySpec) -> int | None:
    """How many points a grid has, when they are so many that they may be a mistake and no `trials` says otherwise."""
    if spec.sampler.name != "grid" or spec.trials is not None:
        return None
    size = grid_size(spec.parameters)
    return size if size > MOST_POINTS_UNASKED else None


def too_many_points(size: int) -> SpecError:
    """What is said of such a grid, with what to do about it."""
    if size > MAX_TRIALS:
        cure = f"a study has at most {MAX_TRIALS:,} trials, so give fewer points, or write trials: 1000 for the first 1000"
    else:
        cure = "write trials: 1000 for the first 1000, or say --yes for all of them"
    return SpecError(f"the grid has {size:,} points; {cure}", field="trials")


def _check_batches(spec: StudySpec) -> None:
    """Raises SpecError when a trial may have to normalise batches of one row."""
    size = spec.parameters.parameters.get("batch_size")
    one = size.low <= 1 if isinstance(size, Range) else 1 in values_of(size)
    if one and True in values_of(spec.parameters.parameters.get("batch_norm")):
        raise SpecError(
            "must be at least 2 with batch_norm: one row has no variance", field="parameters.batch_size"
        )


def _check_losses(spec: StudySpec, info: DatasetInfo) -> None:
    """Raises SpecError when a loss that a trial may have, or what belongs to one, does not fit the task."""
    for loss in values_of(spec.parameters.parameters.get("loss")):
        check_loss(str(loss), info.task, len(info.classes))
    for name in OF_CLASSES if info.task is Task.REGRESSION else ():
        parameter = spec.parameters.parameters.get(name)
        if isinstance(parameter, Range) or set(values_of(parameter)) - {HYPERPARAMETERS[name].default}:
            raise SpecError(
                f"counts only in a classification, and {info.target} is a number; leave it out, "
                f"or set it to {HYPERPARAMETERS[name].default}",
                field=f"parameters.{name}",
            )

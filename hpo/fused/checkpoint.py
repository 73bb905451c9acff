"""A cohort at the end of an epoch as bytes, and back: numpy's npz without pickles, the rest as JSON in it."""

from __future__ import annotations

import io
import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from hpo.fused.layers import Floats, LaneWeights
from hpo.fused.optimizers import optimizer_of
from hpo.fused.stopping import Progress
from hpo.training import LaneSettings

if TYPE_CHECKING:
    from hpo.fused.trainer import Trainer

_ABOUT = "about"
_TRIAL = ("best_epoch", "best", "stderr", "mark", "mark_epoch", "start", "seconds")


def save(trainer: Trainer) -> bytes:
    """What a trainer is after the last epoch it reported. Raises nothing that training would not."""
    tensors: dict[str, Tensor] = {}
    for group in trainer.groups:
        for place, lane in enumerate(group.lanes):
            name = f"{lane.number}/{lane.repeat}/{lane.fold}"
            tensors[f"{name}/flat"] = group.flat[place]
            tensors[f"{name}/best"] = group.best[place]
            tensors[f"{name}/skipped"] = group.skipped[place]
            for i, state in enumerate(group.states):
                tensors[f"{name}/state{i}"] = state[place]
    given = {lane.number: lane.settings for lane in trainer.task.lanes}
    about: dict[str, Any] = {
        "epoch": trainer.epoch,
        "trials": {str(n): _trial_to_json(t, given[n]) for n, t in trainer.trials.items()},
        "settings": {str(n): asdict(s) for n, s in _changed(trainer).items()},
        "best": None,
    }
    if trainer.best is not None:
        trial, lanes = trainer.best
        about["best"] = {"number": trial.number, "lanes": [[w.repeat, w.fold] for w in lanes]}
        about["best_trial"] = _trial_to_json(trial, given[trial.number])
        for i, lane_weights in enumerate(lanes):
            for what, kept in lane_weights.arrays.items():
                for layer, one in enumerate(kept):
                    tensors[f"best/{i}/{layer}/{what}"] = torch.from_numpy(one)
    arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
    arrays[_ABOUT] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    into = io.BytesIO()
    np.savez(into, allow_pickle=False, **arrays)
    return into.getvalue()


def load(trainer: Trainer, saved: Sequence[bytes]) -> None:
    """Put a fresh trainer where `save` found others at the same epoch; trials that had ended stay out.

    The trainer's task has trials of one of these cohorts or of several, all that lived or some of them.
    """
    read = [_read(data, trainer.task.numbers) for data in saved]
    stored: dict[str, Any] = {n: trial for about, _ in read for n, trial in about["trials"].items()}
    tensors = {name: tensor for _, found in read for name, tensor in found.items()}
    settings = {int(n): _settings(one) for about, _ in read for n, one in about["settings"].items()}
    trainer.epoch = read[0][0]["epoch"]
    trainer.groups = trainer.grouped(
        replace(lane, settings=settings.get(lane.number, lane.settings))
        for lane in trainer.task.lanes
        if str(lane.number) in stored
    )
    for group in trainer.groups:
        group.steps_done = group.steps_per_epoch * trainer.epoch
        for place, lane in enumerate(group.lanes):
            name = f"{lane.number}/{lane.repeat}/{lane.fold}"
            rows = group.rows_of(place)
            group.flat[rows] = tensors[f"{name}/flat"]
            group.best[rows] = tensors[f"{name}/best"]
            group.skipped[rows] = tensors[f"{name}/skipped"]
            # Its own optimizer's only: the cohort it comes from had no more where no other lane needed more.
            for i in range(optimizer_of(lane.settings).n_states):
                group.states[i][rows] = tensors[f"{name}/state{i}"]
    held = trainer.trials
    trainer.trials = {n: t for n, t in held.items() if str(n) in stored}
    for number, trial in trainer.trials.items():
        _trial_from_json(trial, stored[str(number)])
        trial.settings = settings.get(number, trial.settings)
    for about, found in read:
        if about["best"] is not None and about["best"]["number"] in held:
            _load_best(trainer, held[about["best"]["number"]], about, found)


def _read(data: bytes, numbers: Sequence[int]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What is stored of these trials, and of the best one that had ended."""
    wanted = {"best", *map(str, numbers)}
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        about = json.loads(arrays[_ABOUT].tobytes())
        names = [name for name in arrays.files if name.split("/")[0] in wanted]
        tensors = {name: torch.from_numpy(arrays[name]) for name in names}
    about["trials"] = {n: trial for n, trial in about["trials"].items() if n in wanted}
    return about, tensors


def _load_best(
    trainer: Trainer, trial: Progress, about: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Take over the best trial that had ended, if the task has it.

    Of another the weights were handed over when the cohort halted; else they are lost, and trained again if they are wanted.
    """
    _trial_from_json(trial, about["best_trial"])
    if trainer.is_best(trial):
        lanes = enumerate(about["best"]["lanes"])
        trainer.best = trial, tuple(_best_lane(tensors, f"best/{i}", *lane) for i, lane in lanes)


def _changed(trainer: Trainer) -> dict[int, LaneSettings]:
    """The settings of living trials that are not those of the task, since they were copied."""
    given = {lane.number: lane.settings for lane in trainer.task.lanes}
    return {n: trial.settings for n, trial in trainer.trials.items() if trial.settings != given[n]}


def _settings(stored: Mapping[str, Any]) -> LaneSettings:
    return LaneSettings(**{**stored, "hidden": tuple(stored["hidden"])})


def _best_lane(tensors: Mapping[str, Tensor], place: str, repeat: int, fold: int) -> LaneWeights:
    """The arrays stored as place/layer/name."""
    found: dict[str, dict[int, Floats]] = {}
    for path, tensor in tensors.items():
        if path.startswith(f"{place}/"):
            layer, name = path.removeprefix(f"{place}/").split("/")
            found.setdefault(name, {})[int(layer)] = tensor.numpy()
    arrays = {name: tuple(by_layer[n] for n in sorted(by_layer)) for name, by_layer in found.items()}
    weights, biases = arrays.pop("weight"), arrays.pop("bias")
    return LaneWeights(repeat=repeat, fold=fold, weights=weights, biases=biases, extras=arrays)


def _trial_to_json(trial: Progress, given: LaneSettings) -> dict[str, Any]:
    best = trial.best_settings
    return {name: getattr(trial, name) for name in _TRIAL} | {
        "values": trial.values,
        "block": list(trial.block),
        "best_settings": None if best is None or best == given else asdict(best),
    }


def _trial_from_json(trial: Progress, stored: Mapping[str, Any]) -> None:
    for name in _TRIAL:
        setattr(trial, name, stored[name])
    kept = stored["best_settings"]
    trial.best_settings = trial.settings if kept is None else _settings(kept)
    trial.values = list(stored["values"])
    trial.block = array("f", stored["block"])

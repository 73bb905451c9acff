"""How many lanes a cohort should have: by cache on a CPU, by memory on a GPU, and how long they take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hpo.coordinator.saturation import CPU, GPU, MOST_LANES_GPU
from hpo.dataset import DatasetInfo
from hpo.model import NetworkShape
from hpo.training import SharedSettings, n_outputs
from hpo.workers.base import Slot

# What a step touches of all lanes (weights, gradients, optimizer states, activations) should stay in a core's
# share of the cache. Tried on digits (64-64-64-10): the same from 16 to 64 lanes, 10 % slower at 100; on nets
# of 100,000 weights: 8, 5 % slower at 4; on 7-8-2 the wider the better.
CACHE_BYTES = 21 * 2**19
FEWEST_LANES = 8
MOST_LANES_CPU = 512
VALIDATION_ROWS = 512  # validation goes through in blocks of so many
MOST_COPIES = 8  # of the weights: themselves, the best, gradients, amsgrad's three states, two of scratch
COPIES_OF_BATCH_NORM = 2  # of the activations: the normalised ones and their gradients
SHARE_OF_MEMORY = 0.8  # the rest is for data and for what the allocator rounds up

# Rates for estimates only: what a fused step reaches, and what it costs before it multiplies anything.
CPU_FLOPS = 30e9
GPU_FLOPS = 3e12
CPU_STEP_S = 0.4e-3
GPU_STEP_S = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the planner must know of a pool: how many slots, what a cohort may take of one, and the kinds of devices."""

    n_slots: int
    memory_bytes: int
    kinds: frozenset[str] = frozenset({CPU})

    @property
    def gpu(self) -> bool:
        """Whether GPUs train."""
        return self.kinds != {CPU}


def machine_of(slots: Sequence[Slot], n_slots: int | None = None) -> Machine:
    """The machine that slots make; the smallest one counts for all. n_slots: where only so many may be had"""
    return Machine(
        n_slots=max(1, len(slots) if n_slots is None else n_slots),
        memory_bytes=min((slot.memory_bytes for slot in slots), default=2**30),
        kinds=kinds_of((slot.device, slot.kind) for slot in slots),
    )


def kinds_of(devices: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The kinds that devices say they are; a GPU whose worker has not started yet has not said.

    >>> sorted(kinds_of([("cuda:0", "T4"), ("cuda:1", "cpu")])), sorted(kinds_of([]))
    (['T4', 'gpu'], ['cpu'])
    """
    found = {GPU if device != CPU and kind == CPU else kind for device, kind in devices}
    return frozenset(found or {CPU})


def shape_of(shared: SharedSettings, info: DatasetInfo) -> NetworkShape:
    """The largest network that a trial of these settings trains: padded, with the pieces of maxout."""
    return NetworkShape(
        info.inputs_under(shared.scaling),
        shared.hidden,
        n_outputs(shared.loss, len(info.classes)),
        pieces=shared.maxout_pieces,
        batch_norm=shared.batch_norm,
    )


def lane_bytes(shared: SharedSettings, info: DatasetInfo) -> int:
    """Bytes that one lane needs: weights, their best copy, gradients, optimizer states, activations.

    >>> from hpo.dataset import Task
    >>> info = DatasetInfo(source="", sha256="", task=Task.REGRESSION, task_reason="", target="", n_rows=9, n_features=7)
    >>> lane_bytes(SharedSettings(hidden=(8,), loss="mse", batch_size=10, scaling="none"), info)
    4136
    """
    rows = max(shared.batch_size, min(info.n_validation, VALIDATION_ROWS))
    return MOST_COPIES * _weight_bytes(shared, info) + _activation_bytes(shared, info, rows)


def trials_that_pay(
    shared: SharedSettings, info: DatasetInfo, machine: Machine, *, lanes_per_trial: int = 1
) -> int:
    """How many trials in a cohort train fastest, each, and fit into a slot's memory; at least 1.

    Repeats and folds of a trial are trained side by side, so they count for the memory only.
    """
    fit = trials_that_fit(shared, info, machine, lanes_per_trial=lanes_per_trial)
    if machine.gpu:
        return min(max(1, MOST_LANES_GPU // lanes_per_trial), fit)
    step = 4 * _weight_bytes(shared, info) + _activation_bytes(shared, info, shared.batch_size)
    return min(max(FEWEST_LANES, min(MOST_LANES_CPU, CACHE_BYTES // step)), fit)


def trials_that_fit(
    shared: SharedSettings, info: DatasetInfo, machine: Machine, *, lanes_per_trial: int = 1
) -> int:
    """How many trials a cohort may have by a slot's memory; at least 1."""
    lanes = int(SHARE_OF_MEMORY * machine.memory_bytes / lane_bytes(shared, info))
    return max(1, lanes // lanes_per_trial)


def _weight_bytes(shared: SharedSettings, info: DatasetInfo) -> int:
    return 4 * shape_of(shared, info).n_parameters


def _activation_bytes(shared: SharedSettings, info: DatasetInfo, rows: int) -> int:
    """What a step keeps for each row: of a unit before and after its activation, and their gradients."""
    shape = shape_of(shared, info)
    copies = 5 + (COPIES_OF_BATCH_NORM if shared.batch_norm else 0)
    return 4 * rows * (copies * shape.pieces * sum(shape.hidden) + 5 * shape.n_outputs)


def epoch_seconds(
    shared: SharedSettings, info: DatasetInfo, machine: Machine, lanes: int, *, groups: int = 1
) -> float:
    """About how long an epoch of a cohort takes on one slot, validation included.

    groups: into how many programs its lanes part: one for each repeat of each fold
    """
    steps = steps_per_epoch(info.n_train, shared.batch_size)
    rows = info.n_train + info.n_validation / 3
    flops = shape_of(shared, info).flops_per_row * rows * lanes
    rate, step_s = (GPU_FLOPS, GPU_STEP_S) if machine.gpu else (CPU_FLOPS, CPU_STEP_S)
    return groups * steps * step_s + flops / rate


def steps_per_epoch(n_train: int, batch_size: int) -> int:
    """Batches of an epoch; the last one is kept however small.

    >>> steps_per_epoch(1149, 64)
    18
    """
    return -(-n_train // batch_size)

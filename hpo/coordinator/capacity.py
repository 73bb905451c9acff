"""How many lanes a cohort should have: by cache on a CPU, by memory on a GPU, and how long they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hpo.dataset import DatasetInfo
from hpo.model import NetworkShape
from hpo.training import SharedSettings, n_outputs
from hpo.workers.base import Slot

# Weights, gradients and two optimizer states of all lanes should stay in a core's share of the cache.
# Tried on the digits net (64-64-64-10): 32 to 48 lanes; on nets of 100,000 weights: 4 to 8.
CACHE_BYTES = 5 * 2**20
FEWEST_LANES = 4
MOST_LANES_CPU = 256
MOST_LANES_GPU = 4096
SHARE_OF_MEMORY = 0.8  # the rest is for data and for what the allocator rounds up

# Rates for estimates only: what a fused step reaches, and what it costs before it multiplies anything.
CPU_FLOPS = 25e9
GPU_FLOPS = 3e12
CPU_STEP_S = 0.4e-3
GPU_STEP_S = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the planner must know of a pool: how many slots, what a cohort may take of one, and its kind."""

    n_slots: int
    memory_bytes: int
    gpu: bool = False


def machine_of(slots: Sequence[Slot]) -> Machine:
    """The machine that slots make; the smallest one counts for all."""
    return Machine(
        n_slots=max(1, len(slots)),
        memory_bytes=min((slot.memory_bytes for slot in slots), default=2**30),
        gpu=any(slot.device.startswith("cuda") for slot in slots),
    )


def shape_of(shared: SharedSettings, info: DatasetInfo) -> NetworkShape:
    """The network that a trial of these settings trains."""
    return NetworkShape(info.n_features, shared.hidden, n_outputs(shared.loss, len(info.classes)))


def lane_bytes(shared: SharedSettings, info: DatasetInfo) -> int:
    """Bytes that one lane needs: weights, their best copy, gradient and optimizer states, activations.

    >>> from hpo.dataset import Task
    >>> info = DatasetInfo(source="", sha256="", task=Task.REGRESSION, task_reason="", target="", n_rows=9, n_features=7)
    >>> lane_bytes(SharedSettings(hidden=(8,), loss="mse", batch_size=10, scaling="none"), info)
    2832
    """
    shape = shape_of(shared, info)
    rows = max(shared.batch_size, min(info.n_validation, 4096))
    widths = sum(shape.hidden) + shape.n_outputs
    return 4 * (6 * shape.n_parameters + 3 * rows * widths)


def lanes_that_pay(shared: SharedSettings, info: DatasetInfo, machine: Machine) -> int:
    """The width of a cohort that trains fastest per lane and fits into a slot's memory; at least 1."""
    fit = int(SHARE_OF_MEMORY * machine.memory_bytes / lane_bytes(shared, info))
    if machine.gpu:
        return max(1, min(MOST_LANES_GPU, fit))
    state_bytes = 16 * shape_of(shared, info).n_parameters
    pays = max(FEWEST_LANES, min(MOST_LANES_CPU, CACHE_BYTES // state_bytes))
    return max(1, min(pays, fit))


def epoch_seconds(shared: SharedSettings, info: DatasetInfo, machine: Machine, lanes: int) -> float:
    """About how long an epoch of a cohort takes on one slot, validation included."""
    steps = steps_per_epoch(info.n_train, shared.batch_size)
    rows = info.n_train + info.n_validation / 3
    flops = shape_of(shared, info).flops_per_row * rows * lanes
    rate, step_s = (GPU_FLOPS, GPU_STEP_S) if machine.gpu else (CPU_FLOPS, CPU_STEP_S)
    return steps * step_s + flops / rate


def steps_per_epoch(n_train: int, batch_size: int) -> int:
    """Batches of an epoch; the last one is kept however small.

    >>> steps_per_epoch(1149, 64)
    18
    """
    return -(-n_train // batch_size)

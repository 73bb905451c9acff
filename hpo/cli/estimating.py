"""What a study would take on this machine, for `hpo validate`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hpo.cli import session

if TYPE_CHECKING:
    from hpo.dataset import DatasetInfo
    from hpo.study import StudySpec

FIRST_PLANS = 256  # what the rest of the study is judged by


def estimate(
    spec: StudySpec, info: DatasetInfo, *, workers: int | None, max_lanes: int | None
) -> dict[str, Any]:
    """Trials, cohorts, lanes, memory and seconds of a completed study. Raises SpecError."""
    from hpo.coordinator.capacity import Machine
    from hpo.coordinator.planner import estimate as planned
    from hpo.samplers.registry import make_sampler
    from hpo.workers.devices import memory_per_worker, worker_devices

    devices = worker_devices(workers, session.settings().device)
    machine = Machine(
        n_slots=len(devices),
        memory_bytes=memory_per_worker(len(devices)),
        gpu=devices[0].startswith("cuda"),
    )
    plans = make_sampler(spec).ask(0, min(spec.trials or FIRST_PLANS, FIRST_PLANS))
    found = planned(spec, info, plans, machine, n_trials=spec.trials, max_lanes=max_lanes)
    return asdict(found) | {"workers": len(devices), "device": devices[0].split(":")[0]}

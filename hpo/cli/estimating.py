"""What a study would take on this machine, for `hpo validate`."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.dataset import DatasetInfo
    from hpo.study import StudySpec

FIRST_PLANS = 256  # what the rest of the study is judged by


def estimate(
    spec: StudySpec, info: DatasetInfo, *, workers: int | None, max_lanes: int | None
) -> dict[str, Any]:
    """Trials, cohorts, lanes, memory and seconds of a completed study. Raises SpecError."""
    import psutil

    from hpo.coordinator.capacity import Machine
    from hpo.coordinator.planner import estimate as planned
    from hpo.samplers.registry import make_sampler

    n_slots = workers or len(os.sched_getaffinity(0))
    machine = Machine(n_slots=n_slots, memory_bytes=psutil.virtual_memory().available // n_slots)
    plans = make_sampler(spec).ask(0, min(spec.trials or FIRST_PLANS, FIRST_PLANS))
    found = planned(spec, info, plans, machine, n_trials=spec.trials, max_lanes=max_lanes)
    return asdict(found) | {"workers": n_slots, "device": "cpu"}

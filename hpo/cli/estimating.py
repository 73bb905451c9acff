"""What a study would take on this machine, for `hpo validate`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hpo.cli import session
from hpo.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo.dataset import DatasetInfo
    from hpo.study import StudySpec
    from hpo.trial import TrialPlan

FIRST_PLANS = 256  # what the rest of the study is judged by


def estimate(
    spec: StudySpec, info: DatasetInfo, *, workers: int | None, max_lanes: int | None
) -> dict[str, Any]:
    """Trials, cohorts, lanes, memory and seconds of a completed study. Raises SpecError.

    infeasible: the share of the first trials that constraints refuse; n_trials counts the others
    """
    from hpo.coordinator.capacity import Machine
    from hpo.coordinator.planner import estimate as planned
    from hpo.samplers.registry import preview
    from hpo.workers.devices import memory_per_worker, worker_devices

    devices = worker_devices(workers, session.settings().device)
    machine = Machine(
        n_slots=len(devices),
        memory_bytes=memory_per_worker(len(devices)),
        gpu=devices[0].startswith("cuda"),
    )
    plans = preview(spec, FIRST_PLANS)
    may, share = _feasible(spec, info, plans)
    n_trials = None if spec.trials is None else max(1, round(spec.trials * (1 - share)))
    found = planned(spec, info, may, machine, n_trials=n_trials, max_lanes=max_lanes)
    about = {"workers": len(devices), "device": devices[0].split(":")[0], "infeasible": share}
    return asdict(found) | about


def _feasible(
    spec: StudySpec, info: DatasetInfo, plans: Sequence[TrialPlan]
) -> tuple[list[TrialPlan], float]:
    """The plans that the constraints let train, and the share of the others. Raises SpecError when none is left."""
    from hpo.coordinator.feasibility import feasibility_of
    from hpo.coordinator.planner import Resolver

    resolver, feasibility = Resolver(spec, info), feasibility_of(spec, info)
    may = [plan for plan in plans if feasibility.admits(resolver.resolve(plan.number, plan.params))]
    if plans and not may:
        bounds = ", ".join(map(str, feasibility.before))
        raise SpecError(
            f"not one of the first {len(plans)} trials meets {bounds}; loosen it, or narrow the parameters",
            field="constraints",
        )
    return may, 1 - len(may) / len(plans) if plans else 0.0

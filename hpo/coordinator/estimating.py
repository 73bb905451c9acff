"""What a study would take on a machine, for `hpo validate` and POST /studies:validate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hpo.coordinator.capacity import Machine, kinds_of
from hpo.coordinator.feasibility import feasibility_of
from hpo.coordinator.planner import Resolver
from hpo.coordinator.planner import estimate as planned
from hpo.coordinator.saturation import CPU
from hpo.dataset import DatasetInfo
from hpo.errors import SpecError
from hpo.samplers.registry import preview
from hpo.study import StudySpec
from hpo.trial import TrialPlan

FIRST_PLANS = 256  # what the rest of the study is judged by
NO_POOL = Machine(n_slots=1, memory_bytes=2**30)  # reckoned with where no coordinator serves


def machine_of(slots: Sequence[Mapping[str, Any]]) -> Machine:
    """The machine that the slots of coordinators make, as their beats have them; the smallest one counts for all."""
    if not slots:
        return NO_POOL
    return Machine(
        n_slots=len(slots),
        memory_bytes=min(int(slot["memory_bytes"]) for slot in slots),
        kinds=kinds_of((str(slot["device"]), str(slot.get("kind", CPU))) for slot in slots),
    )


def estimate(
    spec: StudySpec, info: DatasetInfo, machine: Machine, *, max_lanes: int | None = None
) -> dict[str, Any]:
    """Trials, cohorts, lanes, memory and seconds of a completed study. Raises SpecError.

    infeasible: the share of the first trials that constraints refuse; n_trials counts the others
    """
    plans = preview(spec, FIRST_PLANS)
    may, share = _feasible(spec, info, plans)
    n_trials = None if spec.trials is None else max(1, round(spec.trials * (1 - share)))
    found = planned(spec, info, may, machine, n_trials=n_trials, max_lanes=max_lanes)
    about = {"workers": machine.n_slots, "device": "cuda" if machine.gpu else "cpu", "infeasible": share}
    return asdict(found) | about


def _feasible(
    spec: StudySpec, info: DatasetInfo, plans: Sequence[TrialPlan]
) -> tuple[list[TrialPlan], float]:
    """The plans that the constraints let train, and the share of the others. Raises SpecError when none is left."""
    resolver, feasibility = Resolver(spec, info), feasibility_of(spec, info)
    may = [plan for plan in plans if feasibility.admits(resolver.resolve(plan.number, plan.params))]
    if plans and not may:
        bounds = ", ".join(map(str, feasibility.before))
        raise SpecError(
            f"not one of the first {len(plans)} trials meets {bounds}; loosen it, or narrow the parameters",
            field="constraints",
        )
    return may, 1 - len(may) / len(plans) if plans else 0.0

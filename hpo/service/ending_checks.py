"""What a study file may say about ending early: `stop` and `limits.wall_time`."""

from __future__ import annotations

from hpo.durations import seconds_of
from hpo.errors import SpecError, suggest
from hpo.study import MAX_TRIALS, StudySpec


def check_ending(spec: StudySpec) -> None:
    """Raises SpecError unless the rules by which a study ends early mean something."""
    if spec.limits.wall_time is not None:
        try:
            seconds_of(spec.limits.wall_time)
        except SpecError as error:
            raise SpecError(error.detail, field="limits.wall_time") from None
    plateau = None if spec.stop is None else spec.stop.plateau
    if plateau is None:
        return
    for key in plateau:
        if key != "trials":
            raise SpecError(
                f"there is no such key{suggest(key, ['trials'])}; write plateau: {{trials: 100}}",
                field=f"stop.plateau.{key}",
            )
    n_trials = plateau.get("trials")
    if n_trials is None:
        raise SpecError("is needed; write plateau: {trials: 100}", field="stop.plateau.trials")
    if not 1 <= n_trials <= MAX_TRIALS:
        raise SpecError(f"must be between 1 and {MAX_TRIALS:,}, got {n_trials}", field="stop.plateau.trials")

"""What to type to train a trial once more: the same settings and streams of random numbers, so the same result."""

from __future__ import annotations

import json
import shlex

from hpo.errors import SpecError
from hpo.service.plain_text import read_plain
from hpo.space import Value
from hpo.states import Reason, StudyState
from hpo.study import Study
from hpo.trial import Trial

# A trial that diverged would do so again: everything about it is decided by its settings and the seed.
RETRIED = (Reason.ERROR, Reason.LOST, Reason.OUT_OF_MEMORY)


def commands(study: Study, trial: Trial) -> list[str]:
    """The commands that train a trial of the study again; none when nothing gives just that trial.

    A trial that a constraint refused would be refused again, and one that a sampler gave fewer epochs would
    be trained for all of them.
    """
    if trial.lineage:
        return [f"hpo fork {study.name} --replay --trial {trial.number}"]
    gone = study.state in (StudyState.CANCELLED, StudyState.STOPPING)
    if gone or not trial.params or trial.budget is not None or trial.reason == Reason.INFEASIBLE.value:
        return []
    if trial.reason in RETRIED:
        return [f"hpo retry {study.name} --trial {trial.number}", f"hpo resume {study.name}"]
    words = [shlex.quote(f"{name}={written(value)}") for name, value in trial.params.items()]
    return [f"hpo enqueue {study.name} {' '.join(words)}", f"hpo resume {study.name}"]


def written(value: Value) -> str:
    """A value so that it reads back as itself.

    >>> written(1e-05), written(True), written("adam"), written("12"), written(None)
    ('1e-05', 'true', 'adam', '"12"', 'null')
    """
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        plain = read_plain(value) == value
    except SpecError:
        plain = False
    return value if plain else json.dumps(value, ensure_ascii=False)

"""What may change while a study lives: its total of trials, its priority, its limits and its labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from hpo.account import Account
from hpo.errors import Changed, IllegalMove
from hpo.service import lifecycle, processes, specfile
from hpo.service.accounts import check_may_change
from hpo.service.completion import DEFAULT_RETRIES
from hpo.states import StudyState
from hpo.storage.base import Amendment, Storage
from hpo.study import Study

ENDED = (StudyState.COMPLETED, StudyState.FAILED)


def version_of(study: Study) -> str:
    """Names what `amend` may change of a study as it is now; other trials finishing does not change it."""
    said = [study.id, study.n_trials, study.priority, study.labels, study.spec.get("limits", {})]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def amend(
    storage: Storage,
    account: Account,
    name: str,
    changes: Mapping[str, Any],
    *,
    versions: tuple[str, ...] | None = None,
) -> Study:
    """Change `trials`, `priority`, `limits` and `labels`; of the last two only the keys given, null removes one.

    A study that had ended goes on when it gets more trials. versions: of `version_of`, one of which the study
    must have. Raises StudyNotFound, NotAllowed, SpecError, IllegalMove, Changed.
    """
    study = storage.get_study(name)
    check_may_change(account, study)
    wanted = _amendment(storage, study, changes)

    def check(found: Study) -> None:
        if versions is not None and version_of(found) not in versions:
            raise Changed
        if version_of(found) != version_of(study):  # what was reckoned from is no more
            raise Changed("somebody else changed the study at the same moment; try again")

    study = storage.amend_study(name, wanted, check=check)
    if study.state in ENDED and wanted.n_trials is not None and study.n_finished < study.n_trials:
        return lifecycle.settled(lambda: _go_on(storage, name))
    return study


def _go_on(storage: Storage, name: str) -> Study:
    """Have a study that had ended trained further, unless that has begun by itself."""
    study = storage.get_study(name)
    if study.state not in ENDED:
        return study
    found = lifecycle.resumable(storage, name, trials=None, is_alive=processes.is_alive)
    return lifecycle.hand_over(storage, found, me=processes.this_process())


def _amendment(storage: Storage, study: Study, changes: Mapping[str, Any]) -> Amendment:
    """The changes, checked as a part of the study file that they change."""
    trials = changes.get("trials")
    if trials is not None and study.state is StudyState.CANCELLED:
        raise IllegalMove(
            f"study {study.name!r} is CANCELLED for good; `hpo fork {study.name}` makes a new one of it",
            field="trials",
        )
    labels = _merged(study.labels, changes.get("labels"))
    limits = _merged(
        {"retries": DEFAULT_RETRIES}, _merged(study.spec.get("limits", {}), changes.get("limits"))
    )
    priority = changes.get("priority", study.priority)
    spec = specfile.from_json({**study.spec, "labels": labels, "limits": limits, "priority": priority})
    return Amendment(
        n_trials=None if trials is None else lifecycle.check_total(storage, study, spec, trials),
        priority=spec.priority if "priority" in changes else None,
        labels=labels if "labels" in changes else None,
        limits=limits if "limits" in changes else None,
    )


def _merged(before: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What was, with what is given in its place; null takes a key away."""
    return {key: value for key, value in {**before, **(given or {})}.items() if value is not None}

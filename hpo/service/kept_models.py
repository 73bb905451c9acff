"""Which models a study has: that of its best trial, those that somebody asked for, and how to come by another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from hpo.account import Account, Role
from hpo.data.registry import BUILT_IN
from hpo.dataset import Preparation
from hpo.errors import DataError, IllegalMove, ModelNotKept, NotAllowed, NotRepeatable, TooManyRequests
from hpo.models import SavedModel, from_bytes, to_bytes
from hpo.service import records
from hpo.states import TrialState
from hpo.storage.base import Storage
from hpo.storage.base_models import MOST_ASKED, KeptModel, ModelRequest, StoredModel
from hpo.study import Study
from hpo.trial import Trial

STORED = "ds_"
TRIED_AGAIN_S = 60.0  # a request that failed is made anew by whoever asks after so long
RETRY_AFTER_S = 2


def with_preparation(data: bytes, preparation: Preparation) -> bytes:
    """A worker's model with what a worker does not know: what was done to the columns. Raises DataError."""
    return to_bytes(replace(from_bytes(data), preprocessing=preparation)) if preparation else data


def check_repeatable(study: Study, trial: Trial) -> None:
    """Raises NotRepeatable for a trial that has no weights to come by: of another trainer, unfinished, without a value."""
    if study.spec.get("trainer") == "external":
        raise NotRepeatable(
            f"the trials of study {study.name!r} are trained elsewhere, and so are its models"
        )
    if not trial.state.finished:
        raise NotRepeatable(f"trial {trial.number} of study {study.name!r} is still {trial.state.value}")
    if trial.state is TrialState.FAIL or trial.first is None or trial.best_epoch is None:
        why = trial.reason or "it has no value"
        raise NotRepeatable(f"trial {trial.number} of study {study.name!r} has no result: {why}")


def chosen(storage: Storage, name: str, number: int | None) -> tuple[Study, Trial]:
    """The study and the trial whose model is wanted: the best one unless a number says another.

    Raises StudyNotFound, TrialNotFound, NotRepeatable for one that has no result; IllegalMove when there is no best.
    """
    study = storage.get_study(name)
    if number is not None:
        trial = storage.get_trial(name, number)
        check_repeatable(study, trial)
        return study, trial
    best = storage.best_trials(name, 1)
    if not best:
        raise IllegalMove(f"study {name!r} has no finished trial with a value yet, so it has no model")
    check_repeatable(study, best[0])
    return study, best[0]


def kept_of(storage: Storage, name: str, number: int) -> KeptModel | None:
    """What is known of a trial's kept model, without reading it. Raises StudyNotFound."""
    return next((kept for kept in storage.kept_models(name) if kept.number == number), None)


def saved_of(study: Study, trial: Trial, stored: StoredModel) -> SavedModel:
    """A stored model with what the study knows of it. Raises DataError when it does not know its preparation."""
    return SavedModel(model=from_bytes(stored.data), about=about(study, trial))


def about(study: Study, trial: Trial) -> dict[str, Any]:
    """What is told of a model beside the model itself; the test score of the chosen trial alone."""
    test = study.test if study.test is not None and study.test.get("number") == trial.number else None
    data: Mapping[str, Any] = study.data
    said = {
        "study": study.name,
        "trial": trial.number,
        "metric": study.metric,
        "direction": study.direction.value,
        "value": trial.first,
        "stderr": trial.stderr,
        "test": None if test is None else {k: v for k, v in test.items() if k not in ("number", "stderr")},
        "params": trial.params,
        "seed": study.spec.get("seed"),
        "versions": study.versions,
        "data": {"source": data.get("source"), "sha256": data.get("sha256")},
        "trained_at": trial.finished_at,
    }
    plain: dict[str, Any] = records.plain(said)
    return plain


def load(storage: Storage, name: str, number: int | None) -> SavedModel:
    """The kept model of a trial, or the best one's. Raises as `chosen` does; ModelNotKept."""
    study, trial = chosen(storage, name, number)
    stored = storage.model(name, trial.number)
    if stored is None:
        raise not_kept(study, trial)
    try:
        return saved_of(study, trial, stored)
    except DataError as error:  # an earlier version kept it, without its preparation
        raise not_kept(study, trial) from error


def not_kept(study: Study, trial: Trial) -> ModelNotKept:
    """What to say of a model that is not there."""
    return ModelNotKept(
        f"the model of trial {trial.number} of study {study.name!r} was not kept; "
        f"`hpo model {study.name} --trial {trial.number}`, or a GET of its model, has it trained once more"
    )


class Models(Protocol):
    """Where kept models are read from; `model_cache.ModelCache` keeps those read lately."""

    def model_of(self, storage: Storage, study: Study, trial: Trial) -> SavedModel:
        """The kept model of that trial. Raises ModelNotKept."""


def model_or_request(
    storage: Storage, models: Models, account: Account, name: str, number: int | None
) -> SavedModel | dict[str, Any]:
    """The kept model of a trial, or of the best one; else the request that has it trained once more, as a record.

    Raises as `chosen` and `ask` do.
    """
    study, trial = chosen(storage, name, number)
    try:
        return models.model_of(storage, study, trial)
    except ModelNotKept:
        return ask(storage, account, study, trial)


def ask(storage: Storage, account: Account, study: Study, trial: Trial) -> dict[str, Any]:
    """Have a server's coordinator train a trial once more for its model; how far that is.

    Raises NotAllowed, NotRepeatable when it cannot be, or was tried in vain a moment ago, TooManyRequests.
    """
    request = storage.model_request(study.name, trial.number)
    if request is not None and request.failed and request.age_s < TRIED_AGAIN_S:
        raise NotRepeatable(request.detail)
    if request is None or request.failed:
        if not account.role.includes(Role.SUBMITTER):
            raise NotAllowed(
                f"the model of trial {trial.number} was not kept; to have it trained again needs the role "
                f"{Role.SUBMITTER}, this key has {account.role}"
            )
        check_reachable(study)
        _check_room(storage, study)
        request = storage.request_model(study.name, trial.number)
    return _waiting(storage, request)


def check_reachable(study: Study) -> None:
    """Raises NotRepeatable for a study whose data a server cannot read."""
    source = str(study.data.get("source", ""))
    if source not in BUILT_IN and not source.startswith(STORED):
        raise NotRepeatable(
            f"the data of study {study.name!r} is a file of the machine that it ran on; "
            f"`hpo model {study.name}` there trains the trial again"
        )


def _check_room(storage: Storage, study: Study) -> None:
    """Raises TooManyRequests while as many models of the study are wanted as are kept: the first would be gone."""
    if sum(request.study == study.name for request in storage.model_requests()) >= MOST_ASKED:
        raise TooManyRequests(
            f"{MOST_ASKED} trials of study {study.name!r} wait for being trained again already; try later",
            retry_after_s=RETRY_AFTER_S,
        )


def _waiting(storage: Storage, request: ModelRequest) -> dict[str, Any]:
    """A request as the API shows it."""
    alone = not storage.coordinators()
    return {
        "study": request.study,
        "trial": request.number,
        "state": "waiting" if alone else "training",
        "seconds": request.age_s,
        "detail": "no coordinator runs; the trial is trained as soon as one does"
        if alone
        else "the trial is trained once more; ask again",
    }

"""Trials that are trained elsewhere: handed out, reported on, told. docs/howto/external-trainer.md says how to use it."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpo.account import Account
from hpo.errors import IllegalMove, SpecError, StorageUnavailable, StudyFailed, StudyNotFound
from hpo.service import records
from hpo.service.accounts import check_may_change
from hpo.service.diagnosing import leave_note
from hpo.service.proposing import Plans, Proposer, forget, proposer_of
from hpo.service.results import fixed_of
from hpo.states import FINAL, Reason, StudyState, TrialState
from hpo.storage.base import Storage
from hpo.storage.base_external import HandedOut, Look, Told, Wanted
from hpo.storage.external_rules import n_new
from hpo.study import MAX_EPOCHS, Study

log = logging.getLogger(__name__)

MAX_COUNT = 1_000
MAX_CLIENT = 255
ENOUGH = 100  # times that others may be quicker before a client is asked to come again
AGAIN_S = 2.0
SOON_S = 0.5
# Why a trial may have failed, in who trains it's words.
FAILURES = (Reason.ERROR, Reason.OUT_OF_MEMORY, Reason.DIVERGED, Reason.INFEASIBLE)
ENDS = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
PRUNED = "pruned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is told of a trial, as it comes. value: of one objective; values: of each of several"""

    state: str = TrialState.COMPLETE.value
    value: float | None = None
    values: Sequence[float] | None = None
    reason: str | None = None
    epochs: int | None = None


def ask(storage: Storage, account: Account, name: str, *, client: str, count: int = 1) -> dict[str, Any]:
    """Trials for a client: those it has, then those that somebody has lost, then new ones; perhaps none.

    Raises StudyNotFound, NotAllowed, SpecError, IllegalMove for a study that hpo trains itself.
    """
    check_client(client)
    if not 1 <= count <= MAX_COUNT:
        raise SpecError(f"must be between 1 and {MAX_COUNT:,}, got {count}", field="count")
    proposer, _ = _proposer(storage, account, name)
    with proposer.lock:
        for _ in range(ENOUGH):
            look = _obeyed(storage, proposer, name, client, count)
            made = _plans(proposer, look, count)
            wanted = Wanted(client=client, count=count, plans=made.plans, notes=made.notes)
            handed = storage.hand_out(name, proposer.space, wanted, proposer.terms)
            if not handed.stale:
                break
    if handed.study.state in FINAL:
        forget(storage, handed.study)
    return _answer(proposer, handed, made)


def _obeyed(storage: Storage, proposer: Proposer, name: str, client: str, count: int) -> Look:
    """The study as it is, after its rules have had their say."""
    look = storage.look(name, client, count)
    return storage.look(name, client, count) if _obey(storage, proposer, look.study) else look


def _plans(proposer: Proposer, look: Look, count: int) -> Plans:
    """Plans for as many trials as will be begun."""
    study = look.study
    wanted = count - look.pending - look.lapsed
    if study.state not in (StudyState.QUEUED, StudyState.RUNNING) or wanted <= 0:
        return Plans([])
    running = study.counts.get(TrialState.RUNNING, 0)
    parallel = proposer.terms.parallel
    room = wanted if parallel is None else min(wanted, parallel - running)
    n = min(room, study.n_trials - study.n_planned)
    return proposer.plans(look, n) if n > 0 else Plans([])


def _answer(proposer: Proposer, handed: HandedOut, made: Plans) -> dict[str, Any]:
    study, terms = handed.study, proposer.terms
    why = None if handed.trials else _why_none(proposer, handed, made)
    over = study.state in FINAL
    return {
        "study": study.name,
        "state": study.state.value,
        "over": over and not handed.trials,
        "trials": [
            {
                "number": trial.number,
                "params": records.plain(trial.params),
                "fixed": records.plain(fixed_of(proposer.spec.parameters, trial.params)),
                "epochs": trial.budget if terms.epochs and trial.budget else terms.epochs,
                "lease_s": terms.lease_s,
            }
            for trial in handed.trials
        ],
        "reason": why,
        "retry_after_s": None
        if why is None or over
        else SOON_S
        if made.thinking or handed.stale
        else AGAIN_S,
    }


def _why_none(proposer: Proposer, handed: HandedOut, made: Plans) -> str:
    """Why there is nothing to train now, in one sentence."""
    study, running = handed.study, handed.study.counts.get(TrialState.RUNNING, 0)
    if study.state in FINAL:
        return f"study {study.name!r} is {study.state}" + (f": {study.reason}" if study.reason else "")
    if study.state is StudyState.PAUSED:
        return f"study {study.name!r} is PAUSED and hands out nothing until it is resumed"
    if study.state is StudyState.STOPPING:
        return f"study {study.name!r} is stopping: {running} of its trials are still being trained"
    if handed.stale:
        return "others were quicker; ask again"
    if study.n_planned >= study.n_trials:
        return f"all {study.n_trials} trials are handed out, and {running} of them are still being trained"
    if not n_new(study, 1, proposer.terms.parallel):
        return f"limits.parallel is {proposer.terms.parallel}, and {running} trials are being trained"
    sampler = proposer.spec.sampler.name
    if made.thinking:
        return f"{sampler} is working out the next settings"
    return f"{sampler} waits for results of trials that are being trained ({running})"


def report(
    storage: Storage,
    account: Account,
    name: str,
    number: int,
    *,
    epoch: int,
    value: float,
    client: str | None = None,
) -> dict[str, Any]:
    """A trial's value after an epoch: whether it should end. Renews its lease.

    Raises StudyNotFound, TrialNotFound, NotAllowed, SpecError, IllegalMove, LeaseLost.
    """
    check_client(client)
    proposer, study = _proposer(storage, account, name)
    most = proposer.terms.epochs or MAX_EPOCHS
    if not 1 <= epoch <= most:
        raise SpecError(f"epochs count from 1 to {most:,} here, got {epoch}", field="epoch")
    if not math.isfinite(value):
        raise SpecError("must be a finite number", field="value")
    if len(study.objectives) > 1:
        raise IllegalMove(
            f"study {name!r} has {len(study.objectives)} objectives, and reports have one value; "
            "send heartbeats instead"
        )
    _obey(storage, proposer, study)
    prune = storage.report_epoch(name, number, client, epoch, value, proposer.terms)
    return {"number": number, "epoch": epoch, "prune": prune, "lease_s": proposer.terms.lease_s}


def heartbeat(
    storage: Storage, account: Account, name: str, number: int, *, client: str | None = None
) -> dict[str, Any]:
    """Keep a trial for another lease. Raises StudyNotFound, TrialNotFound, NotAllowed, IllegalMove, LeaseLost."""
    check_client(client)
    proposer, study = _proposer(storage, account, name)
    _obey(storage, proposer, study)
    study = storage.renew_lease(name, number, client, proposer.terms)
    return {"number": number, "state": study.state.value, "lease_s": proposer.terms.lease_s}


def tell(storage: Storage, account: Account, name: str, number: int, outcome: Outcome) -> dict[str, Any]:
    """How a trial ended; the first one to say so counts, whoever had the trial last. The trial's record.

    Raises StudyNotFound, TrialNotFound, NotAllowed, SpecError, IllegalMove for a trial that has ended otherwise.
    """
    proposer, study = _proposer(storage, account, name)
    told = _told(storage, proposer, study, number, outcome)
    trial = storage.tell_trial(name, number, told, proposer.terms)
    _obey(storage, proposer, storage.get_study(name))
    if study.state not in FINAL and storage.get_study(name).state in FINAL:
        leave_note(storage, name)
    return records.trial_record(trial)


def _told(storage: Storage, proposer: Proposer, study: Study, number: int, outcome: Outcome) -> Told:
    """What is told, checked. Raises SpecError with its place."""
    n_values = len(study.objectives) or 1
    if outcome.state not in (state.value for state in ENDS):
        words = ", ".join(state.value for state in ENDS)
        raise SpecError(f"must be one of {words}, got {outcome.state[:40]!r}", field="state")
    state = TrialState(outcome.state)
    values = _values(outcome, n_values)
    if state is TrialState.FAIL and values:
        raise SpecError("a failed trial has no value; leave it out", field="value")
    if state is TrialState.PRUNED and n_values > 1:
        raise SpecError("a trial with several objectives is not pruned; tell FAIL or COMPLETE", field="state")
    if outcome.epochs is not None and not 0 <= outcome.epochs <= MAX_EPOCHS:
        raise SpecError(f"must be between 0 and {MAX_EPOCHS:,}, got {outcome.epochs}", field="epochs")
    if state is TrialState.COMPLETE and not values:
        trial = storage.get_trial(study.name, number)
        if n_values > 1 or (not trial.state.finished and not trial.epochs):
            raise SpecError(
                "is needed: a COMPLETE trial has a value, and this one has reported none",
                field="value" if n_values == 1 else "values",
            )
    return Told(
        state=state, values=values, reason=_reason(proposer, state, outcome.reason), epochs=outcome.epochs
    )


def _values(outcome: Outcome, n: int) -> tuple[float, ...]:
    """One value for each objective, or none. Raises SpecError."""
    if outcome.value is not None and outcome.values is not None:
        raise SpecError("cannot stand beside value; give one of them", field="values")
    if n > 1 and outcome.value is not None:
        raise SpecError(f"there are {n} objectives; give values, a list of {n}", field="value")
    place = "value" if outcome.values is None else "values"
    single = () if outcome.value is None else (outcome.value,)
    values = single if outcome.values is None else tuple(outcome.values)
    if outcome.values is not None and len(values) != n:
        raise SpecError(f"must hold {n}, one for each objective, got {len(values)}", field="values")
    if not all(map(math.isfinite, values)):
        raise SpecError(
            "must be a finite number; tell {state: FAIL, reason: diverged} of a trial without one",
            field=place,
        )
    return tuple(map(float, values))


def _reason(proposer: Proposer, state: TrialState, reason: str | None) -> str | None:
    if state is not TrialState.FAIL and reason is not None:
        raise SpecError("stands only with state FAIL; leave it out", field="reason")
    if state is TrialState.FAIL:
        known = [failure.value for failure in FAILURES]
        if reason is not None and reason not in known:
            raise SpecError(f"must be one of {', '.join(known)}, got {reason[:40]!r}", field="reason")
        return reason or Reason.ERROR.value
    if state is TrialState.PRUNED:
        return PRUNED if proposer.terms.judge is None else proposer.terms.judge.name
    return None


def sweep(storage: Storage) -> None:
    """What nobody asks for: end trials that were lost too often, and studies whose time is over.

    Called every few seconds by whoever serves; between two calls each ask does the same for its study.
    """
    for name in storage.without_driver():
        try:
            study = storage.get_study(name)
            if study.external:  # one that a coordinator has just handed over is the next coordinator's
                _look_after(storage, study)
        except (StudyNotFound, IllegalMove) as error:  # somebody else was quicker
            log.info("study %s is left as it is: %s", name, error.detail)
        except StorageUnavailable:
            raise
        except Exception:  # the other studies must not suffer for it
            log.exception("looking after study %s failed", name)


def _look_after(storage: Storage, study: Study) -> None:
    proposer = proposer_of(storage, study)
    proposer.refresh(study)
    _obey(storage, proposer, study)
    if storage.look(study.name, "", 0).lapsed:
        _obey(storage, proposer, storage.drop_lapsed(study.name, proposer.terms))


def _obey(storage: Storage, proposer: Proposer, study: Study) -> bool:
    """End the study early where a rule of its file says so; whether that changed anything."""
    if not proposer.has_rules or study.state not in (StudyState.RUNNING, StudyState.STOPPING):
        return False
    with proposer.lock:
        try:
            verdict = proposer.verdict(study)
        except StudyFailed as error:
            with contextlib.suppress(IllegalMove):  # another process has just done so
                storage.move_study(study.name, StudyState.FAILED, reason=error.detail)
            return True
        if verdict is None or (study.state is StudyState.STOPPING and not verdict.at_once):
            return False
        storage.wind_up(
            study.name,
            proposer.terms,
            reason=verdict.reason,
            counted=verdict.counted,
            at_once=verdict.at_once,
        )
        return True


def _proposer(storage: Storage, account: Account, name: str) -> tuple[Proposer, Study]:
    """What is known of a study that the account may train for, and the study as it is. Raises StudyNotFound, NotAllowed, IllegalMove."""
    study = storage.get_study(name)
    check_may_change(account, study)
    if not study.external:
        raise IllegalMove(
            f"hpo trains the trials of study {name!r} itself; its file would have to say trainer: external"
        )
    proposer = proposer_of(storage, study)
    proposer.refresh(study)
    return proposer, study


def check_client(client: str | None) -> None:
    """Raises SpecError for a name that no client can have."""
    if client is not None and not (
        client.isprintable() and 1 <= len(client) <= MAX_CLIENT and client.strip()
    ):
        raise SpecError(f"must be 1 to {MAX_CLIENT} printable letters", field="client_id")

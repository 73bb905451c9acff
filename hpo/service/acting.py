"""What a server does to a study when it is asked to: the same services as in a terminal, for whoever may."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from hpo.account import Account
from hpo.errors import lookup
from hpo.service import enqueueing, lifecycle, processes
from hpo.service.accounts import check_may_change
from hpo.service.enqueueing import Enqueued
from hpo.service.settings_given import Setting
from hpo.states import Wanted
from hpo.storage.base import Storage
from hpo.study import Study

Act = Callable[[Storage, str], Study]


def _wish(wanted: Wanted, storage: Storage, name: str) -> Study:
    me = processes.this_process()
    return lifecycle.wish(storage, name, wanted, me=me, is_alive=processes.is_alive).study


# What each does is told by the first sentence of its route.
VERBS: dict[str, Act] = {wanted.value: partial(_wish, wanted) for wanted in Wanted if wanted.value}


def act(storage: Storage, account: Account, name: str, verb: str) -> Study:
    """pause, stop or cancel a study: the study afterwards; a living driver obeys within a second.

    Raises StudyNotFound, NotAllowed, IllegalMove, UnknownName for another verb.
    """
    check_may_change(account, storage.get_study(name))
    return lookup(VERBS, verb, "verb")(storage, name)


def resume(storage: Storage, account: Account, name: str, *, trials: int | None = None) -> Study:
    """Have a server's coordinator go on with a study. trials: its new total.

    A pause that its driver has not obeyed yet is taken back.
    Raises StudyNotFound, NotAllowed, IllegalMove, StudyOwned while a terminal runs it.
    """
    check_may_change(account, storage.get_study(name))
    return lifecycle.settled(lambda: _resume(storage, name, trials))


def _resume(storage: Storage, name: str, trials: int | None) -> Study:
    study = storage.get_study(name)
    living, _ = lifecycle.driver_of(study, processes.is_alive)
    if living is not None and study.served and trials is None:
        return lifecycle.go_on(storage, study)
    found = lifecycle.resumable(storage, name, trials=trials, is_alive=processes.is_alive)
    return lifecycle.hand_over(storage, found, me=processes.this_process())


def remove(storage: Storage, account: Account, name: str) -> None:
    """Remove a study with its trials. Raises StudyNotFound, NotAllowed, StudyOwned while somebody drives it."""
    check_may_change(account, storage.get_study(name))
    lifecycle.remove(storage, name, me=processes.this_process(), is_alive=processes.is_alive)


def enqueue(storage: Storage, account: Account, name: str, settings: Sequence[Setting]) -> Enqueued:
    """Have settings tried first, by a coordinator where nobody drives the study.

    Raises StudyNotFound, NotAllowed, SpecError, UnknownName, IllegalMove.
    """
    check_may_change(account, storage.get_study(name))
    return enqueueing.enqueue(storage, name, settings, is_alive=processes.is_alive, served=True)


def retry(storage: Storage, account: Account, name: str, numbers: Sequence[int] = ()) -> Enqueued:
    """Have failed trials trained once more: those given, or all.

    Raises StudyNotFound, TrialNotFound, NotAllowed, IllegalMove.
    """
    check_may_change(account, storage.get_study(name))
    return enqueueing.retry(storage, name, numbers, is_alive=processes.is_alive, served=True)

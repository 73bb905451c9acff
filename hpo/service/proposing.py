"""What a process knows of studies whose trials are trained elsewhere: a cache, made again from the database at any time.

Plans are a function of the study file, the number and what was told of lower numbers, so every process that serves
a study works out the same ones, whoever had told what to whom.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from hpo.durations import seconds_of
from hpo.pruners.one_by_one import make_judge
from hpo.samplers.base import Learner
from hpo.samplers.random import filler
from hpo.samplers.reach import stored_space
from hpo.samplers.registry import FREE, make_sampler
from hpo.service import specfile
from hpo.service.completion import DEFAULT_LEASE, DEFAULT_RETRIES
from hpo.service.stopping import Stopping, Verdict
from hpo.service.warm_trials import warm_trials
from hpo.states import TrialState
from hpo.storage.base import Condition, Storage, TrialQuery
from hpo.storage.base_external import Look, Terms
from hpo.study import Study, StudySpec
from hpo.trial import Trial, TrialPlan

PAGE = 1_000
KEPT = 64  # studies of a database
RANDOM = "random"

# A child process dies with the thread that made it, and threads that serve requests come and go.
_lasting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hpo-plans")


class Plans(NamedTuple):
    """Plans of the next numbers; thinking: the rest will come without anything being told; notes: the sampler's,
    where they are new."""

    plans: list[TrialPlan]
    thinking: bool = False
    notes: Mapping[str, Any] | None = None


def terms_of(spec: StudySpec, study: Study) -> Terms:
    """What a completed study file says of leases and who judges."""
    limits = spec.limits
    return Terms(
        lease_s=seconds_of(DEFAULT_LEASE if limits.lease is None else limits.lease),
        retries=DEFAULT_RETRIES if limits.retries is None else limits.retries,
        parallel=limits.parallel,
        epochs=spec.epochs,
        judge=make_judge(spec, study.direction),
    )


class Proposer:
    """One study. Whoever asks for plans or a verdict holds `lock`: what it knows must not change meanwhile."""

    def __init__(self, storage: Storage, study: Study) -> None:
        self.lock = threading.RLock()
        self._storage, self._name = storage, study.name
        self._tree: Mapping[str, Any] = {}
        self.refresh(study)
        self._sampler = make_sampler(self.spec)
        self._fill = filler(self.spec)
        self._learns = self.spec.sampler.name not in FREE
        self._reader = _Reader(storage, study.name)
        self._known = 0  # numbers below it are known to the sampler
        self._unsampled = 0  # of those, how many are not its own
        self._told = 0
        self._held: dict[int, Trial] = {}  # finished before one of a lower number
        self._total = 0
        self._warm = not self.spec.warm_start

    def refresh(self, study: Study) -> None:
        """Read the study file again where it has changed: limits may, the search may not."""
        if study.spec == self._tree:  # without the lock: who reports need not wait for plans to be worked out
            return
        with self.lock:
            self.spec = specfile.from_json(study.spec)
            self.space = stored_space(self.spec)
            self.terms = terms_of(self.spec, study)
            self.has_rules = _has_rules(self.spec)
            self._rules: _Rules | None = None
            self._tree = study.spec

    def plans(self, look: Look, n: int) -> Plans:
        """Plans for the next n numbers, the queue before the sampler; fewer when there are no more, or when
        trials must finish first."""
        study, first = look.study, look.study.n_planned
        self._catch_up(study)
        plans: list[TrialPlan] = []
        for entry in look.queue[:n]:
            number = first + len(plans)
            params = self._fill(number, entry.params)
            plans.append(TrialPlan(number=number, params=params, retry_of=entry.retry_of, queued=entry.id))
        thinking = False
        if len(plans) < n:
            if plans and isinstance(self._sampler, Learner):
                self._sampler.planned([_running(plan) for plan in plans])
            plans += self._ask(first + len(plans), n - len(plans), first - self._unsampled)
            thinking = len(plans) < n and isinstance(self._sampler, Learner) and self._sampler.thinking()
        return Plans(plans, thinking, self._new_notes(study))

    def _ask(self, first: int, n: int, place: int) -> list[TrialPlan]:
        if self.spec.sampler.name == "gp":
            return _lasting.submit(self._sampler.ask, first, n, place).result()
        return self._sampler.ask(first, n, place)

    def _catch_up(self, study: Study) -> None:
        """Tell the sampler what others planned and finished since it was last asked."""
        first = study.n_planned
        if isinstance(self._sampler, Learner) and not self._warm:
            self._sampler.warm(warm_trials(self._storage, study, self.spec))
            self._warm = True
        if isinstance(self._sampler, Learner) and study.n_trials != self._total:
            self._total = study.n_trials
            self._sampler.raised(study.n_trials)
        if not self._learns:
            if self.spec.sampler.name != RANDOM and first > self._known:
                self._unsampled += self._storage.n_unsampled(self._name, self._known, first)
            self._known = first
            return
        while self._known < first:
            page = self._page(self._known, first)
            if isinstance(self._sampler, Learner):
                self._sampler.planned(page)
            self._unsampled += sum(not trial.sampled for trial in page)
            self._known = page[-1].number + 1
        for trial in self._reader.news():
            self._held[trial.number] = trial
        ready = []
        while self._told < first and self._told in self._held:
            ready.append(self._held.pop(self._told))
            self._told += 1
        if ready:
            self._sampler.tell(ready)

    def _page(self, first: int, end: int) -> list[Trial]:
        where = (Condition(name="number", op=">=", value=first), Condition(name="number", op="<", value=end))
        return self._storage.trials(self._name, TrialQuery(where=where, sort="number", limit=PAGE))

    def _new_notes(self, study: Study) -> Mapping[str, Any] | None:
        notes: dict[str, Any] = json.loads(json.dumps(self._sampler.notes()))
        return notes if notes and notes != study.notes else None

    def verdict(self, study: Study) -> Verdict | None:
        """Whether the rules of its file end the study now. Raises StudyFailed for too many failures."""
        if not self.has_rules:
            return None
        if self._rules is None or self._rules.since != study.since:
            self._rules = _Rules(self._storage, study, self.spec)
        return self._rules.verdict(study)

    def close(self) -> None:
        """Let go of processes."""
        if isinstance(self._sampler, Learner):
            self._sampler.close()


def _running(plan: TrialPlan) -> Trial:
    """A setting of the queue as it is once it has its number."""
    return Trial(number=plan.number, state=TrialState.RUNNING, params=plan.params, sampled=False)


def _has_rules(spec: StudySpec) -> bool:
    limits = spec.limits
    return spec.stop is not None or limits.wall_time is not None or limits.max_failed is not None


class _Reader:
    """Trials as they finish, each once."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage, self._name = storage, name
        self._place = 0

    def news(self) -> list[Trial]:
        """Those that have finished since the last look."""
        found: list[Trial] = []
        while page := self._storage.finished_after(self._name, self._place, PAGE):
            found += page
            self._place = page[-1].place or self._place + len(page)
        return found


class _Rules:
    """The rules by which a study ends early, and what they have seen. Its clock is the time spent RUNNING."""

    def __init__(self, storage: Storage, study: Study, spec: StudySpec) -> None:
        self.since = study.since
        self._study = study
        self._reader = _Reader(storage, study.name)
        self._stopping = Stopping(spec, study, clock=lambda: self._study.seconds)

    def verdict(self, study: Study) -> Verdict | None:
        self._study = study
        self._stopping.finished(self._reader.news())
        return self._stopping.check()


# Ids alone are used again once a study was removed.
_Key = tuple[int, str, datetime]
_proposers: WeakKeyDictionary[Storage, OrderedDict[_Key, Proposer]] = WeakKeyDictionary()
_lock = threading.Lock()


def proposer_of(storage: Storage, study: Study) -> Proposer:
    """What this process knows of a study."""
    key = _key_of(study)
    with _lock:
        kept = _proposers.setdefault(storage, OrderedDict())
        if key not in kept:
            kept[key] = Proposer(storage, study)
        kept.move_to_end(key)
        found = kept[key]
        dropped = kept.popitem(last=False)[1] if len(kept) > KEPT else None
    if dropped is not None:
        with dropped.lock:
            dropped.close()
    return found


def forget(storage: Storage, study: Study) -> None:
    """Let go of what this process keeps of a study that is over, processes that think for it included."""
    with _lock:
        dropped = _proposers.get(storage, OrderedDict()).pop(_key_of(study), None)
    if dropped is not None:
        with dropped.lock:
            dropped.close()


def _key_of(study: Study) -> _Key:
    return study.id, study.name, study.created_at

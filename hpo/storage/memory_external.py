"""Trials trained elsewhere, in the in-memory storage; what each method does and raises stands in `base_external`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hpo.errors import LeaseLost, TrialNotFound
from hpo.space import SearchSpace
from hpo.states import StudyState, TrialState, why_failed
from hpo.storage.base_external import RIVALS, HandedOut, Look, OneByOne, Terms, Told, Wanted
from hpo.storage.external_rules import (
    OPEN,
    Report,
    best_so_far,
    check_report,
    check_runs,
    check_tell_again,
    is_over,
    is_shown,
    is_stale,
    lost,
    n_new,
    out_of_time,
    result_of,
    rung_of,
)
from hpo.storage.memory_base import MemoryBase, alone
from hpo.storage.memory_study import KeptStudy, Lease, now_s, plain
from hpo.storage.rules import DRIVEN, storable
from hpo.study import Study
from hpo.trial import Trial, TrialPlan, TrialResult


class MemoryExternal(MemoryBase):
    """Leases, reports and results in this process's memory."""

    @alone
    def look(self, name: str, client: str, count: int) -> Look:
        """What there is to hand out."""
        kept, now = self.find(name), now_s()
        leases = kept.leases.values()
        return Look(
            study=kept.now(),
            pending=sum(lease.client == client for lease in leases),
            lapsed=sum(lease.client != client and lease.until <= now for lease in leases),
            queue=list(kept.queue.values())[:count],
        )

    @alone
    def hand_out(self, name: str, space: SearchSpace, wanted: Wanted, terms: Terms) -> HandedOut:
        """Trials for a client."""
        kept = self.find(name)
        if kept.study.state not in OPEN:
            return HandedOut(study=kept.now(), trials=())
        if kept.study.state is StudyState.QUEUED:
            kept.running_since = now_s()
            kept.study = replace(
                kept.study,
                state=StudyState.RUNNING,
                reason=None,
                counted=None,
                started_at=kept.study.started_at or datetime.now(UTC),
                finished_at=None,
            )
        if wanted.notes is not None:
            kept.study = replace(kept.study, notes=plain(wanted.notes))
        numbers = _hand_out_again(kept, wanted, terms)
        plans, stale = _fitting(kept, wanted, wanted.count - len(numbers), terms)
        for plan in plans:
            if plan.queued is not None:
                del kept.queue[plan.queued]
            kept.leases[plan.number] = Lease(wanted.client, now_s() + terms.lease_s, 0)
        kept.add(plans, ())
        numbers += [plan.number for plan in plans]
        trials = [kept.trials[number] for number in sorted(numbers)]
        return HandedOut(study=_end_if_over(kept), trials=trials, stale=stale)

    @alone
    def report_epoch(
        self, name: str, number: int, client: str | None, epoch: int, value: float, terms: Terms
    ) -> bool:
        """Keep a value; whether the trial should end."""
        kept = self.find(name)
        check_runs(_trial(kept, number))
        _renew(kept, number, client, terms)
        before = kept.reports.setdefault(number, [])
        known = check_report(number, before, epoch, value)
        if known is not None:
            return known.prune
        best = best_so_far(kept.study, before, value)
        rung = rung_of(terms.judge, number, before, epoch)
        prune = False
        if terms.judge is not None and rung is not None:
            prune = terms.judge.loses(number, best, _rivals(kept, number, rung, terms.judge))
        before.append(Report(epoch, value, best, rung, prune))
        kept.trials[number] = kept.trials[number]._replace(epochs=epoch)
        if is_shown(epoch, terms.epochs):
            kept.steps.setdefault(number, {})[epoch] = value
        return prune

    @alone
    def renew_lease(self, name: str, number: int, client: str | None, terms: Terms) -> Study:
        """Keep a trial for another lease."""
        kept = self.find(name)
        check_runs(_trial(kept, number))
        _renew(kept, number, client, terms)
        return kept.now()

    @alone
    def tell_trial(self, name: str, number: int, told: Told, terms: Terms) -> Trial:
        """End a trial."""
        kept = self.find(name)
        trial = _trial(kept, number)
        if trial.state.finished:
            check_tell_again(trial, told)
            return trial
        _close(kept, [result_of(kept.study, number, told, kept.reports.get(number, []))], terms)
        _end_if_over(kept)
        return kept.trials[number]

    @alone
    def drop_lapsed(self, name: str, terms: Terms) -> Study:
        """End trials that were lost too often."""
        kept, now = self.find(name), now_s()
        if kept.study.state not in OPEN:
            return kept.now()
        _lose(
            kept,
            [n for n, lease in kept.leases.items() if lease.until <= now and lease.losses >= terms.retries],
            terms,
        )
        return _end_if_over(kept)

    @alone
    def wind_up(
        self,
        name: str,
        terms: Terms,
        *,
        reason: str | None,
        counted: int | None = None,
        at_once: bool = False,
    ) -> Study:
        """Hand out no further plans."""
        kept = self.find(name)
        if kept.study.state not in (*OPEN, StudyState.PAUSED):
            return kept.now()
        if at_once:
            running = [t.number for t in kept.trials.values() if t.state is TrialState.RUNNING]
            _close(kept, [out_of_time(kept.study, n, kept.reports.get(n, [])) for n in running], terms)
        if kept.study.state is not StudyState.STOPPING:
            kept.study = replace(kept.study, state=StudyState.STOPPING, reason=reason, counted=counted)
            kept.running_since = kept.running_since or now_s()
        return _end_if_over(kept)

    @alone
    def without_driver(self) -> list[str]:
        """Names of running studies that never have a driver."""
        return [n for n, k in self.kept.items() if k.study.state in DRIVEN and k.study.driver is None]

    @alone
    def n_unsampled(self, name: str, first: int, end: int) -> int:
        """How many of the trials no sampler proposed."""
        trials = self.find(name).trials
        return sum(not trials[number].sampled for number in range(first, end) if number in trials)


def _trial(kept: KeptStudy, number: int) -> Trial:
    if number not in kept.trials:
        raise TrialNotFound(f"study {kept.study.name!r} has no trial {number}")
    return kept.trials[number]


def _hand_out_again(kept: KeptStudy, wanted: Wanted, terms: Terms) -> list[int]:
    """The client's own trials, then those whose lease ran out; those that were lost too often end."""
    now = now_s()
    own, others, gone = list[int](), list[int](), list[int]()
    for number, lease in sorted(kept.leases.items()):
        lapsed, mine = lease.until <= now, lease.client == wanted.client
        if lapsed and lease.losses >= terms.retries:
            gone.append(number)
        elif mine or lapsed:
            (own if mine else others).append(number)
    _lose(kept, gone, terms)
    given = (own + others)[: wanted.count]
    for number in given:
        lease = kept.leases[number]
        losses = lease.losses + (lease.until <= now)
        kept.leases[number] = Lease(wanted.client, now + terms.lease_s, losses)
    return given


def _fitting(kept: KeptStudy, wanted: Wanted, n: int, terms: Terms) -> tuple[Sequence[TrialPlan], bool]:
    """The plans that can be begun now, and whether they were made for another state of the study."""
    study = kept.now()
    n = n_new(study, n, terms.parallel)
    if not n:
        return (), False
    stale = is_stale(wanted.plans, study.n_planned, list(kept.queue)[: max(1, len(wanted.plans))])
    return (() if stale else wanted.plans[:n]), stale


def _renew(kept: KeptStudy, number: int, client: str | None, terms: Terms) -> None:
    lease = kept.leases.get(number)
    if lease is None:
        return
    if client is not None and lease.client != client:
        raise LeaseLost(
            f"the lease of {client!r} on trial {number} ran out, and {lease.client!r} has the trial now"
        )
    kept.leases[number] = replace(lease, until=now_s() + terms.lease_s)


def _rivals(kept: KeptStudy, number: int, rung: int, judge: OneByOne) -> dict[int, float]:
    """The best so far of others when they reached a rung: of the newest that did."""
    found = {
        other: report.best
        for other, made in kept.reports.items()
        if other != number
        if not judge.only_complete or kept.trials[other].state is TrialState.COMPLETE
        for report in made
        if report.rung == rung
    }
    return {other: found[other] for other in sorted(found, reverse=True)[:RIVALS]}


def _lose(kept: KeptStudy, numbers: Iterable[int], terms: Terms) -> None:
    _close(kept, [lost(kept.study, number, kept.reports.get(number, [])) for number in numbers], terms)


def _close(kept: KeptStudy, results: Sequence[TrialResult], terms: Terms) -> None:
    """Keep how trials ended; leases go, and reports that nobody is compared with."""
    for result in sorted(results, key=lambda result: result.number):
        kept.finish(storable(result))
        kept.leases.pop(result.number, None)
        if terms.judge is None:
            kept.reports.pop(result.number, None)


def _end_if_over(kept: KeptStudy) -> Study:
    """The study as it is now; ended when nothing runs and nothing more will."""
    study = kept.now()
    if not is_over(study):
        return study
    if study.counts[TrialState.COMPLETE] or not study.n_finished:
        kept.leave(StudyState.COMPLETED, study.reason)
    else:
        reasons = [trial.reason for trial in kept.trials.values()]
        all_pruned = study.counts[TrialState.PRUNED] == study.n_finished
        failed = why_failed(reasons, {}, all_pruned=all_pruned)
        kept.leave(StudyState.FAILED, "; ".join(filter(None, (failed, study.reason))))
    return kept.now()

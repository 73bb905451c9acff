"""What a storage does for studies whose trials are trained elsewhere: they are handed out, reported on and told.

Such a study never has a driver. Whoever trains holds a lease on each trial that it was handed; each method is
one transaction that holds the study's row, so that two processes never hand out one number twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hpo.space import SearchSpace
from hpo.states import TrialState
from hpo.study import Study
from hpo.trial import Queued, Trial, TrialPlan

RIVALS = 1_000  # trials that one is compared with at most: the newest, so that the cost stays the same


class OneByOne(Protocol):
    """Judges a trial when it reports, by what others had shown at the same rung."""

    @property
    def name(self) -> str:
        """As the study file has it."""

    @property
    def only_complete(self) -> bool:
        """Whether it compares with COMPLETE trials alone."""

    def rung(self, number: int, last: int, epoch: int) -> int | None:
        """The rung that a trial has reached with this epoch and not with its last one."""

    def loses(self, number: int, best: float, rivals: Mapping[int, float]) -> bool:
        """Whether the trial should end. best: its best value so far; rivals: those of others, by number"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a study file says of its leases. epochs: the most that a trial reports, if that is known."""

    lease_s: float = 60.0
    retries: int = 2
    parallel: int | None = None
    epochs: int | None = None
    judge: OneByOne | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A study as somebody finds it who wants trials.

    pending: how many the client has; lapsed: leases of others that have run out; queue: the first settings
    that wait, as many as are wanted
    """

    study: Study
    pending: int
    lapsed: int
    queue: Sequence[Queued]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A client wants so many trials. plans: of the next numbers, for when there is nothing to hand out again.

    notes: what the sampler decided, if that has changed
    """

    client: str
    count: int
    plans: Sequence[TrialPlan] = ()
    notes: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOut:
    """The client's trials, by number, each RUNNING; stale: the plans were made for another state of the study."""

    study: Study
    trials: Sequence[Trial]
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What somebody says came of a trial. values: one for each objective, or none; epochs: None: as reported."""

    state: TrialState
    values: tuple[float, ...] = ()
    reason: str | None = None
    epochs: int | None = None


class ExternalStorage(Protocol):
    """Leases, reports and results of trials that are trained elsewhere. All times are by the database's clock.

    client: None where somebody does not say who he is, which is then not looked at
    """

    def look(self, name: str, client: str, count: int) -> Look:
        """What there is to hand out. Raises StudyNotFound."""

    def hand_out(self, name: str, space: SearchSpace, wanted: Wanted, terms: Terms) -> HandedOut:
        """Trials for a client, each under a new lease: those it has, then those whose lease has run out, then
        the plans. A lease that ran out more than `retries` times ends its trial FAIL `lost`. QUEUED becomes
        RUNNING; PAUSED and ended studies hand out nothing, STOPPING ones no plans; with the last trial the
        study ends. Raises StudyNotFound, IllegalMove when another program added trials through Optuna."""

    def report_epoch(
        self, name: str, number: int, client: str | None, epoch: int, value: float, terms: Terms
    ) -> bool:
        """Keep a trial's value after an epoch and renew its lease; whether it should end. The same report again
        gives the same answer. Raises StudyNotFound, TrialNotFound, IllegalMove for a trial that has ended, an
        earlier epoch or another value, LeaseLost when another client has the trial."""

    def renew_lease(self, name: str, number: int, client: str | None, terms: Terms) -> Study:
        """Keep a trial for another lease. Raises StudyNotFound, TrialNotFound, IllegalMove, LeaseLost."""

    def tell_trial(self, name: str, number: int, told: Told, terms: Terms) -> Trial:
        """End a trial, whoever has it; with the last one the study ends. The same again changes nothing.
        Raises StudyNotFound, TrialNotFound, IllegalMove for a trial that has ended otherwise."""

    def drop_lapsed(self, name: str, terms: Terms) -> Study:
        """End trials whose lease ran out too often, FAIL `lost`; with the last one the study ends.
        Raises StudyNotFound."""

    def wind_up(
        self,
        name: str,
        terms: Terms,
        *,
        reason: str | None,
        counted: int | None = None,
        at_once: bool = False,
    ) -> Study:
        """Hand out no further plans: STOPPING, and COMPLETED once nothing runs. counted: see Study; at_once:
        what runs ends now, PRUNED `wall_time@epoch` with its best so far. Raises StudyNotFound."""

    def without_driver(self) -> list[str]:
        """The names of RUNNING and STOPPING studies that never have a driver."""

    def n_unsampled(self, name: str, first: int, end: int) -> int:
        """How many of the trials first … end - 1 no sampler proposed. Raises StudyNotFound."""

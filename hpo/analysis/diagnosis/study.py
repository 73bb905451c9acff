"""What ails a study: its trials as a whole, and what the best of them have in common."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hpo.analysis.diagnosis.illnesses import ILLNESSES, OF_TRIALS, Finding, Severity, found
from hpo.analysis.diagnosis.learning import Observed, learning_of
from hpo.analysis.diagnosis.trial import diagnose_trial
from hpo.analysis.importance import Importance
from hpo.analysis.ties import Judge
from hpo.hyperparams import HYPERPARAMETERS
from hpo.space import Choice, Range, Searched, SearchSpace, Value
from hpo.trial import Trial

# Thresholds; their reasons stand in `illnesses.OF_STUDIES`.
MOST = 0.5
BEST_SHARE, FEWEST_BEST = 0.1, 3
OUTER, CHANCE = 0.1, 0.01
UNIMPORTANT, FEWEST_FOR_IMPORTANCE = 0.1, 50
TRIALS_PER_PARAMETER = 10
LAST_QUARTER = 0.1
UNTOLD = ("too_short", "not_seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of a study.

    best: its best trials, the best first: a tenth of those that are complete
    sample: any of those that ended, evenly; both with curves where there are any
    ended, failed, diverged, complete: how many trials; diverged: an estimate from the sample
    """

    space: SearchSpace
    best: Sequence[Observed]
    sample: Sequence[Observed]
    ended: int
    failed: int
    complete: int
    diverged: int = 0
    judge: Judge = field(default_factory=lambda: Judge(lanes=1))
    importances: Sequence[Importance] = ()


def diagnose_study(seen: Seen) -> list[Finding]:
    """What ails a study, the most severe first; of one without a trial that has ended only that."""
    if not seen.ended:
        return [found("not_begun", ended=seen.ended)]
    findings = [*_failed(seen), *_common(seen)]
    findings += [*_edges(seen), *_epochs(seen), *_unimportant(seen), *_ties(seen), *_few(seen)]
    order = ("severe", "mild", "note")
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def _failed(seen: Seen) -> Iterator[Finding]:
    if seen.failed >= MOST * seen.ended:
        yield found("most_failed", failed=seen.failed, ended=seen.ended, diverged=seen.diverged)


def _common(seen: Seen) -> Iterator[Finding]:
    """Illnesses of half of the best; and, milder, of half of a sample: a search passes bad corners on its way."""
    told: set[str] = set()
    for group, which in ((seen.best, "best trials"), (seen.sample, "trials looked at")):
        by_code: dict[str, list[Finding]] = {code: [] for code in OF_TRIALS}
        for finding in (finding for observed in group for finding in diagnose_trial(observed)):
            by_code[finding.code].append(finding)
        for code, ill in by_code.items():
            if not ill or len(ill) < MOST * len(group) or code in told:
                continue
            if code in UNTOLD and group is not seen.best:  # what a pruner ended early is no news
                continue
            told.add(code)
            severity = Counter(finding.severity for finding in ill).most_common(1)[0][0]
            yield found(
                "common",
                *(number for finding in ill for number in finding.trials),
                severity=severity if group is seen.best else Severity.MILD,
                count=len(ill),
                seen=len(group),
                which=which,
                illness=code,
                means=ILLNESSES[code].means,
            )


def _edges(seen: Seen) -> Iterator[Finding]:
    ranges = {name: p for name, p in seen.space.searched.items() if isinstance(p, Range) and p.low < p.high}
    for name, parameter in ranges.items():
        trials = [one.trial for one in seen.best if name in one.trial.params]
        places = [_place(parameter, trial.params[name]) for trial in trials]
        for end, near in (
            ("lowest", [place <= OUTER for place in places]),
            ("highest", [place >= 1 - OUTER for place in places]),
        ):
            stuck = (parameter.low if end == "lowest" else parameter.high) in legal_ends(name)
            if stuck:  # the range cannot go on there
                continue
            if _by_chance(sum(near), len(near)) <= CHANCE / (2 * len(ranges)) and _outermost(places, end):
                yield found(
                    "at_edge",
                    *(trial.number for trial, is_near in zip(trials, near, strict=True) if is_near),
                    count=sum(near),
                    best=len(near),
                    parameter=name,
                    end=end,
                    low=parameter.low,
                    high=parameter.high,
                )


def _outermost(places: Sequence[float], end: str) -> bool:
    """Whether the very best trial is near that end too."""
    return places[0] <= OUTER if end == "lowest" else places[0] >= 1 - OUTER


def _place(parameter: Range, value: Value) -> float:
    """Where in the range a value lies, 0 to 1, on the range's own scale."""
    low, high, at = parameter.low, parameter.high, float(value or 0.0)
    if parameter.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low)


def legal_ends(name: str) -> tuple[float, float]:
    """The least and the greatest value that a hyperparameter may have; no ends for an external trainer's."""
    h = HYPERPARAMETERS.get(name)
    if h is None:
        return -math.inf, math.inf
    low = math.nextafter(h.low, math.inf) if h.low_open else h.low
    return low, math.nextafter(h.high, 0) if h.high_open else h.high


def _by_chance(hits: int, n: int) -> float:
    """The probability of so many hits or more of n where each has the probability OUTER (binomial).

    >>> round(_by_chance(3, 5), 5), _by_chance(0, 5)
    (0.00856, 1.0)
    """
    return math.fsum(math.comb(n, k) * OUTER**k * (1 - OUTER) ** (n - k) for k in range(hits, n + 1))


def _epochs(seen: Seen) -> Iterator[Finding]:
    ran = [(one.trial, learning) for one in seen.best if (learning := learning_of(one)) is not None]
    rising = [
        trial for trial, learning in ran if learning.last_quarter >= LAST_QUARTER and _to_the_end(trial)
    ]
    if ran and len(rising) >= MOST * len(ran):
        epochs = max(trial.epochs for trial in rising) if rising else 0
        yield found(
            "few_epochs", *(t.number for t in rising), count=len(rising), seen=len(ran), epochs=epochs
        )


def _to_the_end(trial: Trial) -> bool:
    """Whether its best epoch is among its last ones, which early stopping had not ended."""
    return trial.reason is None and trial.best_epoch is not None and trial.best_epoch >= 0.9 * trial.epochs


def _unimportant(seen: Seen) -> Iterator[Finding]:
    judged = [one for one in seen.importances if one.share is not None]
    if seen.complete < FEWEST_FOR_IMPORTANCE or len(judged) < 2:
        return
    for one in judged:
        if one.share is not None and one.share < UNIMPORTANT / len(judged):
            yield found("does_not_matter", parameter=one.name, share=one.share)


def _ties(seen: Seen) -> Iterator[Finding]:
    few = [
        (t.number, t.value, t.stderr) for t in (one.trial for one in seen.best[:10]) if t.value is not None
    ]
    if len(few) < 2:
        return
    (number, value, stderr), *others = few
    tied = [other for other, its, error in others if seen.judge.tied((value, stderr), (its, error))]
    if len(tied) >= MOST * len(others):
        yield found("told_apart", number, *tied, tied=len(tied), others=len(others))


def _few(seen: Seen) -> Iterator[Finding]:
    searched = sum(_varies(one) for one in seen.space.searched.values())
    valued = seen.ended - seen.failed  # a pruned trial says something of its settings too
    if valued < TRIALS_PER_PARAMETER * searched:
        yield found("few_trials", valued=valued, parameters=searched)


def _varies(parameter: Searched) -> bool:
    """Whether it has two values at least: a list of one is written like a choice, and nothing to search."""
    if isinstance(parameter, Choice):
        return len(parameter.choices) > 1
    return parameter.low < parameter.high


def n_best(complete: int) -> int:
    """How many trials are the best few: a tenth of the complete ones, 3 to 20.

    >>> n_best(5), n_best(100), n_best(100_000)
    (3, 10, 20)
    """
    return min(20, max(FEWEST_BEST, math.ceil(BEST_SHARE * complete)))


def illnesses_of(findings: Sequence[Finding]) -> Counter[str]:
    """How often each illness was found, that which trials have in common by its own code."""
    return Counter(str(one.numbers["illness"]) if one.code == "common" else one.code for one in findings)

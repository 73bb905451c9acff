"""The best settings of a study, and which of them cannot be told apart from the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hpo.analysis.ties import Judge
from hpo.service import results, specfile
from hpo.storage.base import Storage
from hpo.study import Study

OF_ROWS = "accuracy"  # the metric that is the share of validation rows that was right
TIED = "tied_with_best"

# What each trial is one of, and what tells how much chance does to it.
_HERE = ("network", "write repeats: 3, or folds")
_ELSEWHERE = ("value", "`hpo enqueue` has a setting tried once more")


def top(storage: Storage, name: str, n: int) -> list[dict[str, Any]]:
    """The n best trials as `results.best` has them, each with `tied_with_best`: true, false, or null for unknown.

    With several objectives no trial is the best, and all are null. Raises StudyNotFound, StudyFailed, TrialNotFound.
    """
    found = results.best(storage, name, top=n)
    study = storage.get_study(name)
    judge, best = judge_of(study), (found[0]["value"], found[0]["stderr"])
    for record in found:
        record[TIED] = None if study.objectives else judge.tied(best, (record["value"], record["stderr"]))
    return found


def judge_of(study: Study) -> Judge:
    """What is known of how the values of a study vary by chance."""
    lanes = specfile.from_json(study.spec).repeats * int(study.data.get("n_folds", 1))
    rows = study.data.get("n_validation") if study.metric == OF_ROWS else None
    return Judge(lanes=lanes, rows=rows or None)


def sentence(found: Sequence[dict[str, Any]], *, external: bool = False) -> str | None:
    """What a list of best trials says about ties, in one sentence; None with fewer than two, or several objectives.

    external: whether their study is trained elsewhere, and so knows nothing of repeats and folds

    >>> rows = [{"number": n, "metric": "rmse", TIED: tied} for n, tied in ((3, True), (7, True), (5, False))]
    >>> sentence(rows)
    'trial 7 cannot be told apart from trial 3 (=): the difference is within what chance does'
    """
    if len(found) < 2 or "values" in found[0]:
        return None
    best, *others = found
    tied = [str(record["number"]) for record in others if record[TIED]]
    if all(record[TIED] is None for record in others):
        one, cure = _ELSEWHERE if external else _HERE
        return (
            f"whether these can be told apart is unknown: one {one} each says nothing of how {best['metric']} "
            f"varies by chance; {cure}"
        )
    if not tied:
        return f"trial {best['number']} differs from all of these by more than chance does"
    listed = tied[0] if len(tied) == 1 else f"{', '.join(tied[:-1])} and {tied[-1]}"
    noun, whose = ("trial", "the difference is") if len(tied) == 1 else ("trials", "their differences are")
    return f"{noun} {listed} cannot be told apart from trial {best['number']} (=): {whose} within what chance does"

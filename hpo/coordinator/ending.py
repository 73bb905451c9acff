"""The end of a study: its model is made sure of or trained, scored once on the test rows, and the study left."""

from __future__ import annotations

from dataclasses import replace

from hpo.cohort import CohortDone, CohortFailed, EpochResult, Report, ScoreDone, ScoreTask, Task
from hpo.coordinator.drive import PAGE, Drive
from hpo.coordinator.planner import refits
from hpo.coordinator.populations import once_more
from hpo.dataset import PreparedData
from hpo.dataset import Task as Kind
from hpo.errors import SpecError
from hpo.service.stopping import why_failed
from hpo.states import Reason, StudyState, TrialState
from hpo.storage.base import ScoredTest, StoredModel, TrialQuery
from hpo.study import Study
from hpo.trial import Trial

# Ids of tasks that are no stored cohorts; those are positive.
MODEL_TASK = -1
SCORE_TASK = -2

USUAL_METRICS = {
    Kind.CLASSIFICATION: ("accuracy", "log_loss", "f1"),
    Kind.REGRESSION: ("rmse", "r2", "mae"),
}


def test_metrics(metric: str, kind: Kind) -> tuple[str, ...]:
    """What the test score consists of: the objective, then the usual ones of the task.

    >>> test_metrics("log_loss", Kind.CLASSIFICATION)
    ('log_loss', 'accuracy', 'f1')
    """
    return tuple(dict.fromkeys((metric, *USUAL_METRICS[kind])))


class Ending:
    """Brings a study whose trials are all finished to COMPLETED or FAILED."""

    def __init__(self, drive: Drive, data: PreparedData) -> None:
        self._drive = drive
        self._info = data.info
        self._refits = refits(drive.spec)
        self._scaled = data.refit if self._refits else data.scaled
        self._reason: str | None = None  # how the last trial ended that was trained here

    def conclude(self) -> Study:
        """Score and release. May raise Asked, LeaseLost, PoolError, StorageUnavailable."""
        drive = self._drive
        best = drive.write(lambda: drive.storage.best_trials(drive.claim.name))
        state, reasons, test = StudyState.COMPLETED, [drive.reason], None
        if best:
            scored = self._score(best[0])
            test = None if isinstance(scored, str) else scored
            reasons.append(scored if isinstance(scored, str) else None)
        elif any(drive.tally.counts[ended] for ended in TrialState if ended.finished):
            state = StudyState.FAILED
            reasons.insert(0, self._why_failed())
        reason = "; ".join(filter(None, reasons)) or None
        # In one transaction: a coordinator that dies before the end has not scored, one that dies after it is done.
        study = drive.write(lambda: drive.storage.release(drive.claim, state, reason=reason, test=test))
        drive.show_end(study)
        return study

    def _why_failed(self) -> str:
        drive = self._drive
        ended = tuple(state for state in TrialState if state.finished)
        query = TrialQuery(states=ended, limit=PAGE)
        failed = drive.write(lambda: drive.storage.trials(drive.claim.name, query))
        reasons = [trial.reason if trial.feasible else Reason.INFEASIBLE.value for trial in failed]
        return why_failed(reasons, drive.spec.constraints)

    def _score(self, best: Trial) -> ScoredTest | str | None:
        """Score the best trial's model on the test rows, if any; a sentence when that did not work."""
        drive = self._drive
        scaling = drive.resolver.resolve(best.number, best.params, best.budget).shared.scaling
        rows = self._scaled[scaling].test
        model = self._model_of(best)
        if isinstance(model, str):
            return model
        if not rows:
            return None
        # One entry: with folds the rows to train on are all other rows, in one fold.
        metrics = test_metrics(drive.maker.metric, self._info.task)
        report = self._run(ScoreTask(id=SCORE_TASK, model=model, test=rows[0], metrics=metrics))
        if not isinstance(report, ScoreDone):
            return f"the test rows could not be scored: {self._detail(report)}"
        return ScoredTest(number=best.number, scores=report.scores, stderrs=report.stderrs)

    def _model_of(self, best: Trial) -> bytes | str:
        """The kept model of the best trial, or one trained now: anew on more rows if the study wants that,
        else once more because it was lost; or why there is none."""
        drive = self._drive
        stored = drive.write(lambda: drive.storage.model(drive.claim.name))
        if stored is not None and stored.number == best.number:
            return stored.data
        try:
            trial, evolution = once_more(drive.spec, drive.resolver, best, self._trials)
        except SpecError as error:
            return error.detail
        drive.launcher.give_data(trial.shared.scaling, refit=self._refits)
        # It has been judged; a constraint on seconds might come out otherwise this time.
        task, where = replace(drive.maker.task(MODEL_TASK, 1, (trial,)), constraints=()), "again"
        if self._refits:
            where = f"anew on all {self._info.n_rows - self._info.n_test:,} rows but the test rows"
            drive.show(message=f"training trial {best.number} {where}")
            task = drive.maker.refit_task(MODEL_TASK, trial, best.best_epoch or 1)
        if evolution is not None:
            task = replace(task, evolution=evolution, until=best.best_epoch)
        report = self._run(task)
        if not isinstance(report, CohortDone) or report.model is None or best.first is None:
            return f"the best trial's model could not be trained {where}: {self._detail(report)}"
        model = StoredModel(number=best.number, value=best.first, data=report.model)
        drive.write(lambda: drive.storage.save_model(drive.claim, model))
        return model.data

    def _trials(self, first: int, n: int) -> list[Trial]:
        """The stored trials of n numbers from a first one on."""
        drive = self._drive
        return drive.write(lambda: drive.storage.trials(drive.claim.name, TrialQuery(limit=n, offset=first)))

    def _run(self, task: Task) -> Report:
        """The last report of a task that runs alone; a lost worker is replaced `retries` times."""
        drive = self._drive
        report = self._run_once(task)
        for _ in range(drive.retries):
            if not (isinstance(report, CohortFailed) and report.reason == Reason.LOST):
                break
            report = self._run_once(task)
        return report

    def _run_once(self, task: Task) -> Report:
        drive = self._drive
        while not any(slot.task is None for slot in drive.pool.slots()):
            drive.heed()
            drive.pool.poll(drive.poll_s)
        drive.pool.submit(task)
        self._reason = None
        ended = False
        try:
            while True:
                drive.heed()
                for report in drive.pool.poll(drive.poll_s):
                    if isinstance(report, EpochResult) and report.cohort == task.id and report.ended:
                        self._reason = report.ended[0].reason
                    if _is_last_of(task, report):
                        ended = True
                        return report
                drive.show()
        finally:
            if not ended:  # paused, or the lease is lost
                drive.pool.cancel(task.id)

    def _detail(self, report: Report) -> str:
        if isinstance(report, CohortFailed):
            return report.detail or report.reason
        return "no model came back" if self._reason is None else f"it ended {self._reason}"


def _is_last_of(task: Task, report: Report) -> bool:
    if isinstance(report, ScoreDone):
        return report.id == task.id
    return isinstance(report, CohortDone | CohortFailed) and report.cohort == task.id

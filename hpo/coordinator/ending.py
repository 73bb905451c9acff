"""The end of a study: its model is made sure of or trained, scored once on the test rows, and the study left."""

from __future__ import annotations

import logging

from hpo.cohort import ScoreDone, ScoreTask
from hpo.coordinator.drive import Drive
from hpo.coordinator.planner import refits
from hpo.coordinator.resuming import PAGE
from hpo.coordinator.retraining import OnceMore, Solo
from hpo.dataset import PreparedData
from hpo.errors import NotRepeatable
from hpo.service.diagnosing import leave_note
from hpo.service.scoring import test_metrics
from hpo.states import Reason, StudyState, TrialState, why_failed
from hpo.storage.base import ScoredTest, TrialQuery
from hpo.study import Study
from hpo.trial import Trial

log = logging.getLogger(__name__)

SCORE_TASK = -2  # as MODEL_TASK: the id of a task that is no stored cohort


class Ending:
    """Brings a study whose trials are all finished to COMPLETED or FAILED."""

    def __init__(self, drive: Drive, data: PreparedData) -> None:
        self._drive = drive
        self._info = data.info
        self._scaled = data.refit if refits(drive.spec) else data.scaled
        self._solo = Solo(pool=drive.pool, retries=drive.retries, poll_s=drive.poll_s, heed=self._heed)
        self._again = OnceMore(
            spec=drive.spec,
            data=data,
            resolver=drive.resolver,
            maker=drive.maker,
            solo=self._solo,
            trials=self._trials,
            give_data=lambda scaling, refit: drive.launcher.give_data(scaling, refit=refit),
            say=lambda sentence: drive.show(message=sentence),
        )

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
        leave_note(drive.storage, study.name)
        return study

    def _why_failed(self) -> str:
        drive = self._drive
        ended = tuple(state for state in TrialState if state.finished)
        query = TrialQuery(states=ended, limit=PAGE)
        failed = drive.write(lambda: drive.storage.trials(drive.claim.name, query))
        reasons = [trial.reason if trial.feasible else Reason.INFEASIBLE.value for trial in failed]
        all_pruned = not any(drive.tally.counts[state] for state in ended if state is not TrialState.PRUNED)
        return why_failed(reasons, drive.spec.constraints, all_pruned=all_pruned)

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
        report = self._solo.run(ScoreTask(id=SCORE_TASK, model=model, test=rows[0], metrics=metrics))
        if not isinstance(report, ScoreDone):
            return f"the test rows could not be scored: {self._solo.detail(report)}"
        return ScoredTest(number=best.number, scores=report.scores, stderrs=report.stderrs)

    def _model_of(self, best: Trial) -> bytes | str:
        """The kept model of the best trial, or one trained now: anew on more rows if the study wants that,
        else once more because it was lost; or why there is none."""
        drive = self._drive
        stored = drive.write(lambda: drive.storage.model(drive.claim.name, best.number))
        if stored is not None:
            return stored.data
        try:
            model = self._again.train(best)
        except NotRepeatable as error:
            return f"the best trial's model {error.detail}"
        drive.write(lambda: drive.storage.save_model(drive.claim, model))
        return model.data

    def _trials(self, first: int, n: int) -> list[Trial]:
        """The stored trials of n numbers from a first one on."""
        drive = self._drive
        return drive.write(lambda: drive.storage.trials(drive.claim.name, TrialQuery(limit=n, offset=first)))

    def _heed(self) -> None:
        self._drive.heed()
        self._drive.show()

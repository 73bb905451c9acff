"""What ails a study or one of its trials, and the study file to try next, from what the storage has of it."""

from __future__ import annotations

import html
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.analysis.diagnosis.illnesses import Finding
from hpo.analysis.diagnosis.illnesses import Severity as Severity
from hpo.analysis.diagnosis.next_step import next_study, stem_of
from hpo.analysis.diagnosis.study import diagnose_study
from hpo.analysis.diagnosis.trial import diagnose_trial
from hpo.service import forking, specfile
from hpo.service.observing import observed_of, seen_of
from hpo.service.records import plain
from hpo.service.submit import Draft
from hpo.space import Params
from hpo.storage.base import Storage
from hpo.study import Study

log = logging.getLogger(__name__)


def diagnosis(storage: Storage, name: str, number: int | None = None) -> dict[str, Any]:
    """The findings about a study, or about one of its trials, the most severe first.

    metric: the objective that the best trials of a study are the best in, the first of several
    next: the study file to try next; null for a trial: what to try follows from all of them
    Raises StudyNotFound, TrialNotFound.
    """
    study = storage.get_study(name)
    if number is not None:
        [observed] = observed_of(storage, study, [storage.get_trial(name, number)])
        return _record(study, diagnose_trial(observed), number=number)
    seen = seen_of(storage, study)
    findings = diagnose_study(seen)
    best = seen.best[0].trial.params if seen.best else {}
    return _record(study, findings, next_=_next(storage, study, findings, best))


def next_file(found: Mapping[str, Any], study: Mapping[str, Any]) -> str:
    """The study file to try next, as YAML that works in any folder. found: a diagnosis; study: its study's record."""
    draft = Draft(spec=specfile.from_json(found["next"]), folder=Path(study["folder"]), stem=study["name"])
    return forking.text_of(draft)


def leave_note(storage: Storage, name: str) -> None:
    """Say in Optuna's dashboard what a study is and what ails it; a study is as it is, whatever is wrong with its note."""
    try:
        storage.set_note(name, note_of(storage, name))
    except Exception:
        log.warning("study %s: there is no note for the dashboard", name, exc_info=True)


def note_of(storage: Storage, name: str) -> str:
    """A study in Markdown, for people who see it in Optuna's dashboard: its description, and what ails it.

    Parameters that do not matter are left out: the dashboard draws importances. Raises StudyNotFound.
    """
    study = storage.get_study(name)
    findings = diagnose_study(seen_of(storage, study, weigh=False))
    said = [f"- **{one.severity.value}** {one.sentence}; try: {one.cure}" for one in findings]
    heading = f"**Diagnosis** by `hpo diagnose {name}`, which also has the study to try next:"
    parts = [str(study.spec.get("description") or ""), heading, "\n".join(said) or "nothing ails it"]
    # The dashboard renders HTML in notes; descriptions and names of parameters are anybody's.
    return html.escape("\n\n".join(filter(None, parts)), quote=False)


def _record(
    study: Study,
    findings: Sequence[Finding],
    *,
    number: int | None = None,
    next_: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "study": study.name,
        "trial": number,
        "metric": study.metric,
        "findings": [_finding(one) for one in findings],
        "next": next_,
    }


def _finding(one: Finding) -> dict[str, Any]:
    """A finding in JSON types."""
    return {
        "code": one.code,
        "severity": one.severity.value,
        "sentence": one.sentence,
        "cure": one.cure,
        "numbers": plain(dict(one.numbers)),
        "trials": list(one.trials),
    }


def _next(storage: Storage, study: Study, findings: Sequence[Finding], best: Params) -> dict[str, Any]:
    tree = next_study(
        study.spec,
        findings,
        best,
        name=study.name,
        taken=storage.study_names(stem_of(study.name)),
    )
    return specfile.to_json(specfile.from_json(tree))

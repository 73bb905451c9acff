"""What somebody changes of a study while it runs: its limits, its priority."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from hpo.study import Limits, Study, StudySpec

if TYPE_CHECKING:
    from hpo.coordinator.drive import Drive

DEFAULT_RETRIES = 2


def retries_of(limits: Limits) -> int:
    """How often a lost cohort is trained again."""
    return DEFAULT_RETRIES if limits.retries is None else limits.retries


def as_amended(spec: StudySpec, study: Study) -> StudySpec:
    """A study file with the limits of now: they may have been changed while its data were prepared."""
    limits = study.spec.get("limits")
    return spec if limits is None else replace(spec, limits=Limits(**limits))


class Amended:
    """Reads a driven study again every so often, and has its driver obey what is new.

    heard: told of the study each time
    """

    def __init__(self, study: Study, *, every_s: float, heard: Callable[[Study], None]) -> None:
        self._name, self._every_s, self._heard = study.name, every_s, heard
        self._limits = dict(study.spec.get("limits") or {})
        self._looked = time.monotonic()

    def look(self, drive: Drive) -> None:
        """Look again if the last look is long enough ago. May raise StorageUnavailable, StudyNotFound."""
        if time.monotonic() - self._looked < self._every_s:
            return
        study = drive.write(lambda: drive.storage.get_study(self._name))
        self._looked = time.monotonic()
        self._heard(study)
        limits = dict(study.spec.get("limits") or {})
        if limits != self._limits:
            self._limits = limits
            _obey(drive, study, Limits(**limits))


def _obey(drive: Drive, study: Study, limits: Limits) -> None:
    """None of it changes a result, but for which trials there are."""
    drive.spec = replace(drive.spec, limits=limits)
    drive.rules.amend(drive.spec, study)
    drive.planner.parallel = limits.parallel
    drive.landing.retries = drive.retries = retries_of(limits)

"""Models that were read lately, so that each prediction does not read its weights from the database again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime

from hpo.errors import DataError
from hpo.models import SavedModel
from hpo.service.kept_models import about, chosen, kept_of, not_kept, saved_of
from hpo.storage.base import Storage
from hpo.study import Study
from hpo.trial import Trial

MOST_BYTES = 256 << 20
Key = tuple[int, int, datetime]  # study, trial, when it was saved


class ModelCache:
    """Keeps the models used last, up to so many bytes; any thread may ask."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, tuple[SavedModel, int]] = OrderedDict()

    def model(self, storage: Storage, name: str, number: int | None) -> SavedModel:
        """The kept model of a trial, or of the best one. Raises as `kept_models.load` does."""
        study, trial = chosen(storage, name, number)
        return self.model_of(storage, study, trial)

    def model_of(self, storage: Storage, study: Study, trial: Trial) -> SavedModel:
        """The kept model of that trial. Raises ModelNotKept."""
        kept = kept_of(storage, study.name, trial.number)
        if kept is None:
            raise not_kept(study, trial)
        key = (study.id, trial.number, kept.saved_at)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                # What is told of it may have changed: the test score comes after the model.
                return replace(self._kept[key][0], about=about(study, trial))
        stored = storage.model(study.name, trial.number)
        if stored is None:  # gone since
            raise not_kept(study, trial)
        try:
            saved = saved_of(study, trial, stored)
        except DataError as error:  # an earlier version kept it, without its preparation
            raise not_kept(study, trial) from error
        self._keep(key, saved, kept.n_bytes)
        return saved

    def _keep(self, key: Key, saved: SavedModel, n_bytes: int) -> None:
        with self._lock:
            self._kept[key] = saved, n_bytes
            while len(self._kept) > 1 and sum(size for _, size in self._kept.values()) > self._most:
                self._kept.popitem(last=False)

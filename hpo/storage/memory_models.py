"""Models of the in-memory storage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hpo.errors import TrialNotFound
from hpo.storage.base_models import MOST_ASKED, KeptModel, ModelRequest, StoredModel
from hpo.storage.memory_base import MemoryBase, alone
from hpo.storage.memory_study import now_s


class MemoryModels(MemoryBase):
    """Kept models and requests for others in this process's memory; what each does stands in `base_models`."""

    def __init__(self) -> None:
        super().__init__()
        self._asked_for: dict[tuple[int, int], tuple[StoredModel, datetime]] = {}  # by study and number
        self._wanted: dict[tuple[int, int], tuple[ModelRequest, float]] = {}  # the same, with when

    @alone
    def model(self, name: str, number: int | None = None) -> StoredModel | None:
        """The kept model of a trial, or of the best one so far."""
        kept = self.find(name)
        best = kept.model
        if number is None or (best is not None and best.number == number):
            return best
        found = self._asked_for.get((kept.study.id, number))
        return None if found is None else found[0]

    @alone
    def kept_models(self, name: str) -> list[KeptModel]:
        """The kept models without their bytes."""
        kept = self.find(name)
        asked = [entry for (study, _), entry in self._asked_for.items() if study == kept.study.id]
        found = [_kept(model, saved_at, asked=True) for model, saved_at in asked]
        if kept.model is not None and kept.model_at is not None:
            found = [one for one in found if one.number != kept.model.number]
            found.append(_kept(kept.model, kept.model_at, asked=False))
        return sorted(found, key=lambda one: one.number)

    @alone
    def request_model(self, name: str, number: int) -> ModelRequest:
        """Ask for a trial's model."""
        kept = self.find(name)
        if number not in kept.trials:
            raise TrialNotFound(f"study {name!r} has no trial {number}")
        key = (kept.study.id, number)
        if key not in self._wanted or self._wanted[key][0].failed:
            self._wanted[key] = ModelRequest(study=name, number=number, age_s=0.0), now_s()
        return self._aged(key)

    def _aged(self, key: tuple[int, int]) -> ModelRequest:
        request, at = self._wanted[key]
        return replace(request, age_s=max(0.0, now_s() - at))

    @alone
    def model_request(self, name: str, number: int) -> ModelRequest | None:
        """The request for a trial's model."""
        key = (self.find(name).study.id, number)
        return self._aged(key) if key in self._wanted else None

    @alone
    def model_requests(self) -> list[ModelRequest]:
        """The requests that have not failed."""
        there = {kept.study.id for kept in self.kept.values()}
        order = sorted(self._wanted, key=lambda key: (self._wanted[key][1], key))
        found = [self._aged(key) for key in order if key[0] in there]
        return [request for request in found if not request.failed]

    @alone
    def fulfil_request(self, name: str, model: StoredModel) -> None:
        """Keep a model that somebody asked for."""
        kept = self.find(name)
        study, now = kept.study.id, datetime.now(UTC)
        self._wanted.pop((study, model.number), None)
        if kept.model is not None and kept.model.number == model.number:
            kept.model, kept.model_at = model, now
            return
        self._asked_for.pop((study, model.number), None)
        mine = [key for key in self._asked_for if key[0] == study]  # the oldest first
        for key in mine[: max(0, len(mine) + 1 - MOST_ASKED)]:
            del self._asked_for[key]
        self._asked_for[study, model.number] = model, now

    @alone
    def refuse_request(self, name: str, number: int, detail: str) -> None:
        """Note why there will be no such model."""
        key = (self.find(name).study.id, number)
        if key in self._wanted:
            request, at = self._wanted[key]
            self._wanted[key] = replace(request, failed=True, detail=detail), at


def _kept(model: StoredModel, saved_at: datetime, *, asked: bool) -> KeptModel:
    return KeptModel(
        number=model.number, value=model.value, n_bytes=len(model.data), asked=asked, saved_at=saved_at
    )

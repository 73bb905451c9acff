"""What every Storage must do with trained models."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

from datetime import UTC

import pytest

from hpo.errors import StudyNotFound, TrialNotFound
from hpo.states import StudyState
from hpo.storage.base import Storage
from hpo.storage.base_models import MOST_ASKED, ModelRequest, StoredModel
from hpo.testing.studies import finished


def model_of(number: int, data: bytes = b"weights") -> StoredModel:
    """A model of a trial."""
    return StoredModel(number=number, value=number / 100, data=data)


def asked_for(requests: list[ModelRequest]) -> list[tuple[str, int]]:
    """The studies and trials they are about, in order."""
    return [(request.study, request.number) for request in requests]


class ModelsContract:
    """Kept models and requests for others."""

    def test_a_model_that_was_asked_for_stays_beside_the_best_ones(self, storage: Storage) -> None:
        claim = finished(storage, [0.5, 0.6, 0.7])
        large = bytes(range(256)) * 4096 * 2 + b"end"  # over two chunks
        storage.save_model(claim, model_of(1))

        storage.fulfil_request("wine", model_of(0, large))
        storage.save_model(claim, model_of(2))

        assert storage.model("wine") == model_of(2)
        assert storage.model("wine", 2) == model_of(2)
        assert storage.model("wine", 0) == model_of(0, large)
        assert storage.model("wine", 1) is None
        assert [(m.number, m.asked, m.n_bytes) for m in storage.kept_models("wine")] == [
            (0, True, len(large)),
            (2, False, 7),
        ]
        assert {m.saved_at.tzinfo for m in storage.kept_models("wine")} == {UTC}

    def test_the_best_ones_model_stays_the_best_ones_when_somebody_asks_for_it(
        self, storage: Storage
    ) -> None:
        claim = finished(storage, [0.5, 0.6])
        storage.save_model(claim, model_of(1))

        storage.fulfil_request("wine", model_of(1, b"again"))
        storage.fulfil_request("wine", model_of(0, b"once"))
        storage.fulfil_request("wine", model_of(0, b"twice"))

        assert storage.model("wine") == model_of(1, b"again")
        assert storage.model("wine", 0) == model_of(0, b"twice")
        assert [m.asked for m in storage.kept_models("wine")] == [True, False]

    def test_of_many_models_that_were_asked_for_the_oldest_goes(self, storage: Storage) -> None:
        claim = finished(storage, [0.5] * (MOST_ASKED + 3))
        storage.save_model(claim, model_of(0))

        for number in range(1, MOST_ASKED + 3):
            storage.fulfil_request("wine", model_of(number))

        numbers = [m.number for m in storage.kept_models("wine")]
        assert numbers == [0, *range(3, MOST_ASKED + 3)]

    def test_a_request_waits_until_it_is_fulfilled(self, storage: Storage) -> None:
        finished(storage, [0.5, 0.6])
        finished(storage, [0.5], name="beer")

        first = storage.request_model("wine", 1)
        storage.request_model("beer", 0)
        again = storage.request_model("wine", 1)

        assert (first.study, first.number, first.failed) == ("wine", 1, False)
        assert again.age_s >= first.age_s
        assert asked_for(storage.model_requests()) == [("wine", 1), ("beer", 0)]
        storage.fulfil_request("wine", model_of(1))
        assert asked_for(storage.model_requests()) == [("beer", 0)]
        assert storage.model_request("wine", 1) is None
        assert storage.model("wine", 1) == model_of(1)

    def test_a_request_that_failed_says_why_until_it_is_made_anew(self, storage: Storage) -> None:
        finished(storage, [0.5])
        storage.request_model("wine", 0)

        storage.refuse_request("wine", 0, "other data")

        failed = storage.model_request("wine", 0)
        assert failed is not None
        assert (failed.failed, failed.detail) == (True, "other data")
        assert storage.model_requests() == []
        assert not storage.request_model("wine", 0).failed
        assert asked_for(storage.model_requests()) == [("wine", 0)]

    def test_only_trials_that_there_are_can_be_asked_for(self, storage: Storage) -> None:
        finished(storage, [0.5])

        with pytest.raises(TrialNotFound, match="'wine' has no trial 7"):
            storage.request_model("wine", 7)
        with pytest.raises(StudyNotFound):
            storage.request_model("beer", 0)
        with pytest.raises(StudyNotFound):
            storage.kept_models("beer")
        with pytest.raises(StudyNotFound):
            storage.fulfil_request("beer", model_of(0))

        assert storage.model_requests() == []

    def test_models_and_requests_go_with_their_study(self, storage: Storage) -> None:
        claim = finished(storage, [0.5, 0.6])
        storage.fulfil_request("wine", model_of(0))
        storage.request_model("wine", 1)
        storage.release(claim, StudyState.COMPLETED)

        storage.delete_study("wine")
        finished(storage, [0.5, 0.6])

        assert storage.model_requests() == []
        assert storage.kept_models("wine") == []
        assert storage.model("wine", 0) is None

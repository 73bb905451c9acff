"""What every Storage must do when asked for pages, for the best, and for data sets."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import math
from typing import Any

import pytest

from hpo.errors import (
    DatasetNotFound,
    IllegalMove,
    SpecError,
    StudyNotFound,
)
from hpo.states import StudyState, TrialState
from hpo.storage.base import Storage, TrialQuery
from hpo.study import Direction, ObjectiveSpec
from hpo.testing.studies import (
    begun,
    complete,
    finished,
    new_study,
    numbers,
)
from hpo.trial import TrialResult


def _ended(values: tuple[float, ...]) -> dict[str, Any]:
    return {"value": values[0]} if len(values) == 1 else {"values": values}


class ReadingContract:
    """Pages of trials and the best of them."""

    def test_what_is_read_by_a_name_is_of_the_study_that_has_it_now(self, storage: Storage) -> None:
        small, few = (
            ObjectiveSpec(metric=name, direction=Direction.MINIMIZE) for name in ("mse", "n_parameters")
        )
        for changes, values, front in (
            ({"direction": Direction.MAXIMIZE}, [(0.5,), (0.9,)], [1]),
            ({"direction": Direction.MINIMIZE}, [(0.5,), (0.9,), (0.7,)], [0]),
            (
                {"direction": Direction.MINIMIZE, "objectives": (small, few)},
                [(0.5, 3.0), (0.9, 2.0), (0.9, 4.0)],
                [0, 1],
            ),
            ({"direction": Direction.MAXIMIZE}, [(0.1,), (0.2,), (0.3,), (0.2,)], [2]),
        ):
            claim, cohort = begun(storage, len(values), **changes)
            results = [
                TrialResult(number=number, state=TrialState.COMPLETE, **_ended(its))
                for number, its in enumerate(values)
            ]
            storage.finish_trials(claim, cohort.id, cohort.attempt, results, done=True)
            storage.release(claim, StudyState.COMPLETED)

            assert [trial.values or (trial.value,) for trial in storage.trials("wine")] == values
            assert (
                numbers(storage.best_trials("wine", 9))[: len(front)]
                == numbers(storage.pareto("wine"))
                == front
            )

            storage.delete_study("wine")
            other = finished(storage, [0.5, 0.6], name="other")  # SQLite gives it the id of the one removed
            for read in (storage.trials, storage.best_trials, storage.pareto):
                with pytest.raises(StudyNotFound):
                    read("wine")
            storage.release(other, StudyState.COMPLETED)
            storage.delete_study("other")

    def test_pages_are_sorted_filtered_and_cut(self, storage: Storage) -> None:
        claim, cohort = begun(storage, 7)
        fail = TrialResult(number=5, state=TrialState.FAIL, reason="error")
        results = [complete(n, v) for n, v in enumerate([0.5, 0.9, 0.5, 0.1])]
        storage.finish_trials(claim, cohort.id, cohort.attempt, [*results, fail])

        def page(**query: Any) -> list[int]:
            return numbers(storage.trials("wine", TrialQuery(**query)))

        assert page() == [0, 1, 2, 3, 4, 5, 6]
        assert page(sort="-number", limit=2) == [6, 5]
        assert page(sort="value") == [3, 0, 2, 1, 4, 5, 6]
        assert page(sort="-value") == [1, 0, 2, 3, 4, 5, 6]
        assert page(sort="value", limit=2, offset=1) == [0, 2]
        assert page(sort="-value", limit=3, offset=3) == [3, 4, 5]
        assert page(sort="value", limit=3, offset=5) == [5, 6]
        assert page(sort="value", offset=9) == []
        assert page(states=(TrialState.RUNNING,)) == [4, 6]
        assert page(states=(TrialState.FAIL, TrialState.COMPLETE), sort="-value", limit=9) == [1, 0, 2, 3, 5]

    def test_an_unknown_order_is_an_error(self, storage: Storage) -> None:
        begun(storage)

        with pytest.raises(SpecError, match="colour"):
            storage.trials("wine", TrialQuery(sort="colour"))

    @pytest.mark.parametrize(
        ("direction", "expected"), [(Direction.MAXIMIZE, [1, 3, 0]), (Direction.MINIMIZE, [2, 0, 1])]
    )
    def test_the_best_are_by_direction_with_ties_to_the_lowest_number(
        self, storage: Storage, direction: Direction, expected: list[int]
    ) -> None:
        finished(storage, [0.5, 0.9, 0.1, 0.9], direction=direction)

        assert numbers(storage.best_trials("wine", 3)) == expected
        assert numbers(storage.best_trials("wine")) == expected[:1]

    def test_the_leaders_of_many_studies_are_the_first_of_the_best_of_each(self, storage: Storage) -> None:
        both = tuple(ObjectiveSpec(metric=m, direction=Direction.MAXIMIZE) for m in ("accuracy", "f1"))
        finished(storage, [0.5, 0.9, 0.9], name="up")
        finished(storage, [0.5, 0.1, 0.9], name="down", direction=Direction.MINIMIZE)
        claim, cohort = begun(storage, 3, "several", objectives=both)
        pairs = [
            TrialResult(number=n, state=TrialState.COMPLETE, values=values)
            for n, values in enumerate([(0.1, 0.9), (0.9, 0.1), (0.1, 0.1)])
        ]
        storage.finish_trials(claim, cohort.id, cohort.attempt, pairs)
        begun(storage, 2, "none yet")
        stopped = finished(storage, [0.1, 0.9], name="stopped")
        storage.move_claimed(stopped, StudyState.STOPPING, counted=1)
        names = storage.study_names()

        led = storage.leaders([*names, "nobody"])

        assert {name: trial.number for name, trial in led.items()} == {
            "up": 1,
            "down": 1,
            "several": 1,
            "stopped": 0,
        }
        assert all(trial == storage.best_trials(name)[0] for name, trial in led.items())
        assert storage.leaders([]) == {}

    def test_infinite_pruned_and_failed_trials_are_never_the_best(self, storage: Storage) -> None:
        claim, cohort = begun(storage)
        infinite = complete(0, math.inf)
        pruned = TrialResult(number=1, state=TrialState.PRUNED, value=0.99, reason="halving@3")
        fail = TrialResult(number=2, state=TrialState.FAIL, reason="error")

        assert storage.best_trials("wine") == []
        storage.finish_trials(claim, cohort.id, cohort.attempt, [infinite, pruned, fail])
        assert storage.best_trials("wine", 9) == []
        storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(3, 0.2)])
        assert numbers(storage.best_trials("wine", 9)) == [3]
        assert storage.get_trial("wine", 0).value is None
        assert storage.get_trial("wine", 0).state is TrialState.COMPLETE


class DatasetsContract:
    """Uploaded data sets."""

    def test_bytes_are_kept_once_under_their_digest(self, storage: Storage) -> None:
        first = storage.add_dataset("wine.csv", [b"a,b\n", b"1,2\n"], {"rows": 1})
        again = storage.add_dataset("other.csv", [b"a,b\n1,2\n"], {})

        # What sha256sum says of the eight bytes.
        assert first.sha256 == "492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470"
        assert (first.id, first.n_bytes) == (f"ds_{first.sha256[:16]}", 8)
        assert again == first
        assert storage.list_datasets() == [first]

    def test_a_data_set_is_found_by_id_and_name_and_read_in_chunks(self, storage: Storage) -> None:
        data = bytes(range(256)) * 4096 * 3
        kept = storage.add_dataset("big", [data[:5], data[5:]], {"rows": 3})

        assert storage.get_dataset("big") == storage.get_dataset(kept.id) == kept
        chunks = list(storage.read_dataset("big"))
        assert b"".join(chunks) == data
        assert all(len(chunk) <= 1 << 20 for chunk in chunks)

    def test_the_newest_of_a_name_counts(self, storage: Storage) -> None:
        storage.add_dataset("wine.csv", [b"old"], {})
        newest = storage.add_dataset("wine.csv", [b"new"], {})

        assert storage.get_dataset("wine.csv") == newest

    def test_data_sets_come_a_page_at_a_time_by_name(self, storage: Storage) -> None:
        kept = [
            storage.add_dataset(name, [data], {}) for name, data in (("b", b"1"), ("B", b"2"), ("b", b"3"))
        ]
        twins = sorted([kept[0], kept[2]], key=lambda dataset: dataset.id)
        expected = [kept[1], *twins]

        first = storage.list_datasets(limit=2)
        rest = storage.list_datasets(limit=2, after=(first[-1].name, first[-1].id))

        assert storage.list_datasets() == [*first, *rest] == expected
        assert storage.list_datasets(after=("b", "ds_~")) == []
        assert all(dataset.added_at is not None for dataset in expected)

    def test_an_id_goes_before_a_name_that_says_the_same(self, storage: Storage) -> None:
        kept = storage.add_dataset("mine", [b"mine"], {})
        storage.add_dataset(kept.id, [b"theirs"], {})

        assert storage.get_dataset(kept.id) == kept
        assert b"".join(storage.read_dataset(kept.id)) == b"mine"

    def test_a_data_set_in_use_is_not_removed(self, storage: Storage) -> None:
        kept = storage.add_dataset("w", [b"data"], {})
        storage.create_study(new_study(spec={"data": {"source": kept.id}}))

        with pytest.raises(IllegalMove, match="'wine'"):
            storage.delete_dataset(kept.id)
        storage.move_study("wine", StudyState.CANCELLED)
        storage.delete_dataset("w")

        assert storage.list_datasets() == []

    def test_an_unknown_data_set_is_not_found(self, storage: Storage) -> None:
        for call in (storage.get_dataset, storage.read_dataset, storage.delete_dataset):
            with pytest.raises(DatasetNotFound, match="'nothing'"):
                call("nothing")

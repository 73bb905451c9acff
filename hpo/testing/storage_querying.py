"""What every Storage must do when asked for trials by conditions, in an order, behind a given one."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from hpo.cohort import Cohort, CohortPlan
from hpo.errors import SpecError
from hpo.space import Choice, Params, SearchSpace
from hpo.states import TrialState
from hpo.storage.base import Claim, Condition, Storage, TrialQuery
from hpo.storage.ordering import after_of
from hpo.study import Direction, ObjectiveSpec
from hpo.testing.studies import begun, complete, driver, new_study, numbers
from hpo.trial import Inheritance, TrialPlan, TrialResult

MIXED = Choice(choices=(0.1 + 0.2, 3, -1.5, True, False, "größer", "Z", "a", "", None, 10**12, "3", 1e-300))
ODD = 'a "quoted\\ name.with [0] everything'
SETTINGS: tuple[Params, ...] = (
    {"x": 3, "lr": 0.1 + 0.2},
    {"x": "größer", "lr": 1e-300},
    {"x": None, "lr": 3},
    {"lr": -1.5},
    {"x": True, "lr": 10**12, ODD: "Z"},
    {"x": 0.1 + 0.2, ODD: 3},
    {"x": "Z", "lr": 3},
    {"x": "a", "lr": 0.1 + 0.2},
    {"x": "3", "lr": 0.1 + 0.2},
    {"x": False},
    {"x": ""},
    {"x": -1.5, "lr": 3},
)
SPACE = SearchSpace(dict.fromkeys(("x", "lr", ODD), MIXED))


def running(storage: Storage, **changes: Any) -> tuple[Claim, Cohort]:
    """A study whose trials run with SETTINGS."""
    storage.create_study(new_study(**changes))
    claim = storage.claim_study("wine", driver())
    everyone = tuple(range(len(SETTINGS)))
    trials = [TrialPlan(number=number, params=params) for number, params in enumerate(SETTINGS)]
    [cohort] = storage.plan_trials(claim, SPACE, trials, [CohortPlan(numbers=everyone)])
    return claim, storage.start_cohort(claim, cohort.id)


def mixed(storage: Storage) -> None:
    """A study of trials that ended differently, some at the same moment; two still run."""
    claim, cohort = running(storage)
    values = {4: 0.5, 2: 0.9, 9: 0.5, 0: 0.1, 7: 0.5, 5: math.inf, 11: 0.9, 3: -0.25}
    results = [complete(n, value, epochs=n % 4) for n, value in values.items()]
    fail = TrialResult(number=6, state=TrialState.FAIL, reason="error", epochs=2)
    pruned = TrialResult(number=8, state=TrialState.PRUNED, value=0.5, reason="halving@3", epochs=3)
    for some in (results[:3], [fail, *results[3:]], [pruned]):
        storage.finish_trials(claim, cohort.id, cohort.attempt, some)


def found(storage: Storage, *where: tuple[str, str, Any], **query: Any) -> list[int]:
    """The numbers of the trials that meet conditions."""
    conditions = tuple(Condition(name=name, op=op, value=value) for name, op, value in where)
    return numbers(storage.trials("wine", TrialQuery(where=conditions, **query)))


def walked(storage: Storage, size: int, **query: Any) -> Iterator[int]:
    """The numbers of all trials of a query, read a page at a time."""
    after = None
    while page := storage.trials("wine", TrialQuery(limit=size, after=after, **query)):
        yield from numbers(page)
        after = after_of(page[-1], query["sort"])


class QueryingContract:
    """Conditions, orders and pages of trials."""

    @pytest.mark.parametrize(
        ("sort", "expected"),
        [
            ("number", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
            ("value", [3, 0, 4, 7, 8, 9, 2, 11, 1, 5, 6, 10]),
            ("-value", [2, 11, 4, 7, 8, 9, 0, 3, 1, 5, 6, 10]),
            ("epochs", [0, 1, 4, 10, 5, 9, 2, 6, 3, 7, 8, 11]),
            ("-epochs", [3, 7, 8, 11, 2, 6, 5, 9, 0, 1, 4, 10]),
            ("finished_at", [2, 4, 9, 0, 3, 5, 6, 7, 11, 8, 1, 10]),
            ("-finished_at", [8, 11, 7, 6, 5, 3, 0, 9, 4, 2, 1, 10]),
            ("params.lr", [3, 1, 0, 7, 8, 2, 6, 11, 4, 5, 9, 10]),
            ("-params.lr", [4, 2, 6, 11, 0, 7, 8, 1, 3, 5, 9, 10]),
            # -1.5 False 0.3 True 3 "" "3" "Z" "a" "größer", then null and none
            ("params.x", [11, 9, 5, 4, 0, 10, 8, 6, 7, 1, 2, 3]),
            ("-params.x", [1, 7, 6, 8, 10, 0, 4, 5, 9, 11, 2, 3]),
            ("params.nobody", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
            ("-params.nobody", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
            (f"params.{ODD}", [5, 4, 0, 1, 2, 3, 6, 7, 8, 9, 10, 11]),
            (f"-params.{ODD}", [4, 5, 0, 1, 2, 3, 6, 7, 8, 9, 10, 11]),
        ],
    )
    def test_every_order_puts_ties_by_number_and_nothing_last_and_pages_follow_it(
        self, storage: Storage, sort: str, expected: list[int]
    ) -> None:
        mixed(storage)

        assert numbers(storage.trials("wine", TrialQuery(sort=sort))) == expected
        for size in (1, 2, 3, 11, 12):
            assert list(walked(storage, size, sort=sort)) == expected
        assert found(storage, sort=sort, offset=5, limit=4) == expected[5:9]

    @pytest.mark.parametrize(
        ("sort", "expected"),
        [
            ("params.x", [7, 2, 3, 5, 11, 0, 1, 8, 6, 4, 9, 12, 10, 13]),
            ("-params.x", [4, 9, 12, 6, 8, 0, 1, 2, 3, 5, 11, 7, 10, 13]),
        ],
    )
    def test_trials_planned_one_after_another_and_of_odd_values_have_one_order(
        self, storage: Storage, sort: str, expected: list[int]
    ) -> None:
        long = "\U0001f600" * 500
        values = (
            2**53 + 1,
            2**53,
            -0.0,
            0,
            long + "b",
            False,
            "\uffff",
            -(10**400),
            10**400,
            long + "a",
            None,
        )
        settings = [{"x": value} for value in values] + [{"x": -0.0}, {"x": long + "c"}, {}]
        space = SearchSpace({"x": Choice(choices=(*values, long + "c"))})
        storage.create_study(new_study())
        begun(storage, 3, name="other")
        claim = storage.claim_study("wine", driver())
        for number, params in enumerate(settings):
            plan = TrialPlan(number=number, params=params)
            storage.plan_trials(claim, space, [plan], [CohortPlan(numbers=(number,))])

        assert found(storage, sort=sort) == expected
        for size in (1, 2, 3, 5):
            assert list(walked(storage, size, sort=sort)) == expected

    def test_a_page_sorted_by_a_parameter_takes_conditions_and_goes_on_where_trials_lack_it(
        self, storage: Storage
    ) -> None:
        mixed(storage)
        where = (Condition(name="epochs", op=">=", value=1),)

        for size in (1, 2, 5):
            assert list(walked(storage, size, where=where, sort="params.x")) == [11, 9, 5, 8, 6, 7, 2, 3]
            assert list(walked(storage, size, where=where, sort="-params.x")) == [7, 6, 8, 5, 9, 11, 2, 3]
            assert list(walked(storage, size, where=where, sort="-params.lr")) == [2, 6, 11, 7, 8, 3, 5, 9]

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            (("number", "<", 2), [0, 1]),
            (("number", ">=", 10.5), [11]),
            (("number", "<=", 10**400), list(range(12))),
            (("number", ">", 10**30), []),
            (("number", "in", (3, 99, 1.0, "4", None)), [1, 3]),
            (("number", "in", tuple(range(10, 5_000))), [10, 11]),
            (("number", "=", "3"), []),
            (("number", "!=", True), list(range(12))),
            (("value", ">", 0.5), [2, 11]),
            (("value", ">=", 0.5), [2, 4, 7, 8, 9, 11]),
            (("value", "=", 0.9), [2, 11]),
            (("value", "!=", 0.5), [0, 2, 3, 11]),
            (("value", "=", None), [1, 5, 6, 10]),
            (("value", "!=", None), [0, 2, 3, 4, 7, 8, 9, 11]),
            (("value", "<", None), []),
            (("value", "in", (0.1, None)), [0, 1, 5, 6, 10]),
            (("epochs", "=", 3), [3, 7, 8, 11]),
            (("epochs", "in", ()), []),
            (("finished_at", "=", None), [1, 10]),
            (("finished_at", "<", "2026-01-02T03:04:05Z"), []),
            (("finished_at", ">", "2000-01-02"), [0, 2, 3, 4, 5, 6, 7, 8, 9, 11]),
            (("params.lr", "=", 3), [2, 6, 11]),
            (("params.lr", "=", 3.0), [2, 6, 11]),
            (("params.lr", "=", 0.1 + 0.2), [0, 7, 8]),
            (("params.lr", "<", 0.1 + 0.2), [1, 3]),
            (("params.lr", "<=", 0.1 + 0.2), [0, 1, 3, 7, 8]),
            (("params.lr", "!=", 3), [0, 1, 3, 4, 7, 8]),
            (("params.lr", ">", 10**11), [4]),
            (("params.x", "=", "3"), [8]),
            (("params.x", "=", 3), [0]),
            (("params.x", "=", True), [4]),
            (("params.x", "=", 1), []),
            (("params.x", "<", True), [9]),
            (("params.x", "=", None), [2]),
            (("params.x", "<=", None), []),
            (("params.x", "!=", None), [0, 1, 4, 5, 6, 7, 8, 9, 10, 11]),
            (("params.x", "!=", "Z"), [0, 1, 2, 4, 5, 7, 8, 9, 10, 11]),
            (("params.x", ">", "Z"), [1, 7]),
            (("params.x", "in", ("größer", 3, None, False)), [0, 1, 2, 9]),
            (("params.x", "=", "a\0b"), []),
            (("params.x", "!=", "\ud800"), [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]),
            (("params.nobody", "!=", 3), []),
            ((f"params.{ODD}", "=", "Z"), [4]),
            ((f"params.{ODD}", "!=", "Z"), [5]),
        ],
    )
    def test_every_condition_holds_of_the_same_trials_everywhere(
        self, storage: Storage, condition: tuple[str, str, Any], expected: list[int]
    ) -> None:
        mixed(storage)

        assert found(storage, condition) == expected

    def test_all_conditions_must_hold_and_go_with_states_orders_and_pages(self, storage: Storage) -> None:
        mixed(storage)
        where = (
            Condition(name="params.lr", op=">", value=0),
            Condition(name="value", op=">=", value=0.5),
        )

        assert list(walked(storage, 2, where=where, sort="-value")) == [2, 11, 4, 7, 8]
        complete_ones = TrialQuery(states=(TrialState.COMPLETE,), where=where, sort="-params.lr", limit=3)
        assert numbers(storage.trials("wine", complete_ones)) == [4, 2, 11]

    def test_the_moment_a_trial_finished_is_a_bound(self, storage: Storage) -> None:
        mixed(storage)
        moment = storage.get_trial("wine", 0).finished_at
        assert moment is not None

        earlier = found(storage, ("finished_at", "<", moment.isoformat()))
        until = found(storage, ("finished_at", "<=", moment.isoformat()))
        at = found(storage, ("finished_at", "=", moment.replace(tzinfo=None).isoformat()))

        assert 0 in at
        assert sorted(earlier + at) == until
        assert 8 not in earlier

    @pytest.mark.parametrize(
        "unread", [("facts",), ("params",), ("lineage",), ("facts", "params", "lineage")]
    )
    def test_what_is_not_to_be_read_is_empty_and_all_else_is_there(
        self, storage: Storage, unread: tuple[str, ...]
    ) -> None:
        claim, cohort = running(storage)
        step = Inheritance(epoch=2, source=1, params={"learning_rate": 0.02})
        noted = complete(0, 0.5, facts={"dead_units": 0.25}, lineage=(step,))
        storage.finish_trials(claim, cohort.id, cohort.attempt, [noted])

        whole = storage.trials("wine", TrialQuery(limit=2))
        cut = storage.trials("wine", TrialQuery(limit=2, unread=unread))

        assert all(getattr(whole[0], name) and not getattr(cut[0], name) for name in unread)
        left_out = [{name: getattr(trial, name) for name in unread} for trial in whole]
        assert [trial._replace(**left) for trial, left in zip(cut, left_out, strict=True)] == whole

    def test_several_objectives_are_sorted_and_filtered_by_the_first(self, storage: Storage) -> None:
        names = ("accuracy", "n_parameters")
        objectives = tuple(ObjectiveSpec(metric=name, direction=Direction.MAXIMIZE) for name in names)
        claim, cohort = running(storage, objectives=objectives)
        points = [(0.5, 9.0), (0.9, 1.0), (math.inf, 5.0), (0.5, 1.0)]
        results = [
            TrialResult(number=number, state=TrialState.COMPLETE, values=values)
            for number, values in enumerate(points)
        ]
        storage.finish_trials(claim, cohort.id, cohort.attempt, results)

        assert list(walked(storage, 2, sort="-value")) == [1, 0, 3, 2, *range(4, 12)]
        assert found(storage, ("value", "<", 0.7)) == [0, 3]

    def test_a_page_stays_where_it_was_while_trials_finish(self, storage: Storage) -> None:
        claim, cohort = running(storage)
        storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(n, n / 10) for n in range(4)])
        page = storage.trials("wine", TrialQuery(sort="value", limit=2))
        after = after_of(page[-1], "value")

        storage.finish_trials(claim, cohort.id, cohort.attempt, [complete(5, 0.05), complete(6, 0.25)])

        rest = numbers(storage.trials("wine", TrialQuery(sort="value", after=after)))
        assert numbers(page) == [0, 1]
        assert rest == [2, 6, 3, 4, 7, 8, 9, 10, 11]

    @pytest.mark.parametrize(
        ("condition", "said"),
        [
            (("colour", "=", 3), "colour"),
            (("value", "like", 3), "like"),
            (("finished_at", "<", "yesterday"), "2026-01-02T03:04:05Z, got 'yesterday'"),
            (("finished_at", "<", 3), "got 3"),
        ],
    )
    def test_what_cannot_be_asked_is_an_error(
        self, storage: Storage, condition: tuple[str, str, Any], said: str
    ) -> None:
        mixed(storage)

        with pytest.raises(SpecError, match=said):
            found(storage, condition)

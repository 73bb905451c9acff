"""Who gets a free slot: properties that must hold whatever ends when."""

import math
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hpo.coordinator.fairness import Lags, Standing, choose, entitlements, shared_out, weight_of

PRIORITIES = st.integers(-3, 3)
OWNERS = st.sampled_from([None, "ann", "bob", "eve"])


def no_quota(owner):
    return None


def studies_of(rows):
    return [
        Standing(key=key, owner=owner, weight=weight_of(priority), held=0, hungry=True)
        for key, (owner, priority) in enumerate(rows)
    ]


class Pool:
    """Slots whose cohorts end when a test says so, and studies that always want more."""

    def __init__(self, studies, n_slots, slots_of=no_quota):
        self.studies = {one.key: one for one in studies}
        self.n_slots, self.slots_of, self.lags = n_slots, slots_of, Lags()
        self.slots: list[int] = []  # the study that each busy slot trains for
        self.seconds = dict.fromkeys(self.studies, 0.0)

    def standings(self):
        return [replace(one, held=self.slots.count(key)) for key, one in self.studies.items()]

    def entitled(self):
        return entitlements(self.standings(), self.n_slots, self.slots_of)

    def fill(self):
        while len(self.slots) < self.n_slots:
            key = choose(self.standings(), self.entitled(), self.lags)
            if key is None:
                return
            self.slots.append(key)

    def let_pass(self, seconds):
        self.lags.accrue(self.standings(), self.entitled(), seconds)
        for key in self.slots:
            self.seconds[key] += seconds

    def end(self, place):
        self.slots.pop(place % len(self.slots))


@given(
    rows=st.lists(st.tuples(OWNERS, PRIORITIES), min_size=1, max_size=8),
    hungry=st.lists(st.booleans(), min_size=8, max_size=8),
    n_slots=st.integers(1, 9),
    quota=st.none() | st.integers(0, 3),
)
def test_no_slot_is_idle_while_anybody_wants_one(rows, hungry, n_slots, quota):
    studies = [replace(one, hungry=wants) for one, wants in zip(studies_of(rows), hungry, strict=False)]
    pool = Pool(studies, n_slots, lambda owner: quota)

    pool.fill()

    anybody = any(one.hungry for one in studies)
    assert len(pool.slots) == (n_slots if anybody else 0)
    assert all(pool.studies[key].hungry for key in pool.slots)


@given(
    rows=st.lists(st.tuples(st.just("ann"), PRIORITIES), min_size=1, max_size=8),
    n_slots=st.integers(1, 12),
    ends=st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=4), max_size=12),
    seconds=st.floats(0.01, 100),
)
def test_hungry_studies_of_one_owner_hold_what_they_are_entitled_to_within_one_slot(
    rows, n_slots, ends, seconds
):
    pool = Pool(studies_of(rows), n_slots)
    pool.fill()

    for places in ends:
        pool.let_pass(seconds)
        for place in places[: len(pool.slots)]:
            pool.end(place)
        pool.fill()

        entitled = pool.entitled().studies
        assert math.isclose(sum(entitled.values()), n_slots)
        assert all(abs(one.held - entitled[one.key]) < 1 + 1e-6 for one in pool.standings())


@given(
    rows=st.lists(st.tuples(OWNERS, PRIORITIES), min_size=1, max_size=8),
    n_slots=st.integers(1, 12),
    ends=st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=4), max_size=12),
)
def test_hungry_owners_hold_equal_shares_within_one_slot(rows, n_slots, ends):
    pool = Pool(studies_of(rows), n_slots)
    pool.fill()

    for places in ends:
        pool.let_pass(1.0)
        for place in places[: len(pool.slots)]:
            pool.end(place)
        pool.fill()

        owners = {one.owner for one in pool.studies.values()}
        for owner in owners:
            held = sum(one.held for one in pool.standings() if one.owner == owner)
            assert abs(held - n_slots / len(owners)) < 1 + 1e-6


@settings(max_examples=30, phases=(Phase.explicit, Phase.generate))  # to shrink it takes minutes
@given(
    rows=st.lists(st.tuples(OWNERS, st.integers(-1, 1)), min_size=2, max_size=6),
    n_slots=st.integers(1, 3),
    lengths=st.lists(st.floats(0.5, 2.0), min_size=6, max_size=6),
)
def test_nobody_starves_and_slot_time_comes_near_to_the_shares(rows, n_slots, lengths):
    pool = Pool(studies_of(rows), n_slots)
    left: list[float] = []

    for _ in range(600):  # cohorts of a study take as long as its length says
        before = len(pool.slots)
        pool.fill()
        left += [lengths[key] for key in pool.slots[before:]]
        step = min(left)
        pool.let_pass(step)
        left = [one - step for one in left]
        for place in reversed(range(len(left))):
            if left[place] <= 1e-9:
                pool.end(place)
                del left[place]

    entitled, total = pool.entitled().studies, sum(pool.seconds.values())
    for key, seconds in pool.seconds.items():
        assert seconds / total == pytest.approx(entitled[key] / n_slots, abs=0.03)


def test_a_step_of_priority_is_twice_the_share():
    pool = Pool(studies_of([("ann", 1), ("ann", 0)]), n_slots=3)

    pool.fill()

    assert sorted(pool.slots) == [0, 0, 1]


def test_priority_does_not_reach_beyond_the_owner():
    pool = Pool(studies_of([("ann", 10), ("bob", -10)]), n_slots=4)

    pool.fill()

    assert sorted(pool.slots) == [0, 0, 1, 1]


def test_many_studies_of_one_owner_weigh_no_more_than_one_of_another():
    pool = Pool(studies_of([("ann", 0)] * 6 + [("bob", 0)]), n_slots=4)

    pool.fill()

    assert pool.slots.count(6) == 2


def test_a_newcomer_gets_the_next_slot_that_becomes_free():
    pool = Pool(studies_of([("ann", 5)]), n_slots=3)
    pool.fill()
    pool.let_pass(1000.0)
    pool.studies[1] = Standing(key=1, owner="ann", weight=weight_of(0), held=0, hungry=True)
    pool.let_pass(0.1)

    pool.end(0)
    pool.fill()

    assert pool.slots == [0, 0, 1]


def test_a_quota_binds_while_others_wait_and_not_when_nobody_does():
    quota = {"ann": 1, "bob": None}.get
    beside, alone = studies_of([("ann", 0), ("bob", 0)]), studies_of([("ann", 0)])
    pools = [Pool(studies, 4, quota) for studies in (beside, alone)]

    for pool in pools:
        pool.fill()

    assert sorted(pools[0].slots) == [0, 1, 1, 1]
    assert pools[1].slots == [0] * 4


def test_what_a_study_does_not_want_goes_to_the_others():
    full, others = Standing(key=0, owner=None, weight=8.0, held=1, hungry=False), studies_of([(None, 0)] * 3)
    entitled = entitlements([full, *(replace(one, key=one.key + 1) for one in others)], 7, no_quota)

    assert entitled.studies == {0: 1, 1: 2.0, 2: 2.0, 3: 2.0}


@given(
    total=st.floats(0, 100),
    caps=st.lists(st.floats(0, 50) | st.just(math.inf), min_size=1, max_size=6),
    weights=st.lists(st.floats(0.1, 10), min_size=6, max_size=6),
)
def test_a_total_is_shared_out_to_the_last_bit_or_until_all_have_enough(total, caps, weights):
    named = dict(enumerate(caps))

    shares = shared_out(total, named, dict(enumerate(weights)))

    assert all(shares[key] <= named[key] + 1e-9 for key in named)
    assert sum(shares.values()) == pytest.approx(min(total, sum(caps)))
    open_ = [shares[key] / weights[key] for key in named if shares[key] < named[key] - 1e-9]
    assert open_ == pytest.approx([max(open_)] * len(open_) if open_ else [])

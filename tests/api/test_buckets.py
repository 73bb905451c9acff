"""Buckets of tokens: so many at once, so many in the long run."""

from hpo.api.buckets import MANY, Buckets


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_what_it_holds_then_what_flows_in():
    clock = Clock()
    buckets = Buckets(rate=2.0, size=3.0, clock=clock)

    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    clock.now += 0.5
    assert [buckets.take("a"), buckets.take("a")] == [0.0, 0.5]
    clock.now += 1000.0
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_each_name_has_a_bucket_of_its_own():
    buckets = Buckets(rate=1.0, size=1.0, clock=Clock())

    assert [buckets.take("a"), buckets.take("a"), buckets.take("b")] == [0.0, 1.0, 0.0]


def test_looking_takes_nothing():
    buckets = Buckets(rate=1.0, size=1.0, clock=Clock())

    assert [buckets.wait_s("a"), buckets.wait_s("a"), buckets.take("a"), buckets.wait_s("a")] == [
        0,
        0,
        0,
        1.0,
    ]


def test_full_buckets_are_thrown_away_when_there_are_too_many():
    clock = Clock()
    buckets = Buckets(rate=1.0, size=1.0, clock=clock)
    for number in range(MANY):
        buckets.take(str(number))

    clock.now += 2.0
    buckets.take("one more")

    assert len(buckets) == 1

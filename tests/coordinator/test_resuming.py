"""A study that is taken up: what a new driver reads before it trains."""

import sqlite3

import pytest

from hpo.coordinator import resuming
from hpo.coordinator.loop import Coordinator, Options
from hpo.states import StudyState, Wanted
from hpo.storage.base import LEASE_S
from hpo.testing.simulated_pool import SimulatedPool
from hpo.testing.small_jobs import spec_of


class Slow:
    """A storage of which a page takes most of a lease to read. left_s: of the lease before each page"""

    def __init__(self, storage, url):
        self._storage, self._file = storage, url.removeprefix("sqlite:///")
        self.left_s = []

    def __getattr__(self, name):
        return getattr(self._storage, name)

    def trials(self, *words):
        left_s = self._storage.get_study("small").lease_left_s
        self.left_s += [] if left_s is None else [left_s]  # none once it has ended
        page = self._storage.trials(*words)
        with sqlite3.connect(self._file) as connection:
            connection.execute("UPDATE hpo_studies SET lease_until = lease_until - ?", (0.8 * LEASE_S,))
        connection.close()
        return page


def test_a_study_that_takes_longer_to_read_than_a_lease_is_kept_meanwhile(make_world, sqlite, monkeypatch):
    monkeypatch.setattr(resuming, "PAGE", 5)
    world = make_world(spec_of(trials=40), url=sqlite)

    def pause():
        if world.n_finished >= 20:
            world.coordinator.ask(Wanted.PAUSE)

    world.run(max_lanes=5, each_poll=pause)
    world.storage.move_study("small", StudyState.QUEUED)
    slow = Slow(world.storage, sqlite)

    study = Coordinator(slow, SimulatedPool(), options=Options(renew_s=0.0, poll_s=0.0)).run(world.job)

    assert study.state is StudyState.COMPLETED
    assert len(slow.left_s) > 4
    assert min(slow.left_s) == pytest.approx(LEASE_S, abs=1.0)

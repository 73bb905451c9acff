"""The sweep over trials that are trained elsewhere keeps to its own studies, and none of them from the others."""

import time

from hpo.service import external
from hpo.states import StudyState
from hpo.storage.base_external import Terms, Wanted
from hpo.testing.studies import SPACE, driver, new_study, plans
from tests.service.test_external import ask, made


def test_a_sweep_leaves_alone_a_stopping_study_that_a_coordinator_handed_over(storage):
    storage.create_study(new_study(served=True, spec={"limits": {"wall_time": 0.001}}))
    claim = storage.claim_study("wine", driver("one"))
    storage.move_claimed(claim, StudyState.STOPPING)
    storage.hand_over(claim)

    external.sweep(storage)

    assert storage.get_study("wine").state is StudyState.STOPPING


def test_a_study_that_cannot_be_looked_after_keeps_no_other_from_it(storage):
    storage.create_study(new_study("older", spec={"trainer": "external", "unknown": 1}))
    storage.hand_out("older", SPACE, Wanted(client="one", count=1, plans=plans(0, 1)), Terms(lease_s=60.0))
    made(storage, "trials: 5", "limits: {wall_time: 0.2}")
    ask(storage)
    deadline = time.monotonic() + 10

    while storage.get_study("far").state is StudyState.RUNNING:
        external.sweep(storage)
        assert time.monotonic() < deadline

    assert storage.get_study("older").state is StudyState.RUNNING

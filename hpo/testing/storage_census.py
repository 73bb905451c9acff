"""What every Storage must say of itself: its revision, and everything in it counted."""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import time
from collections import Counter

from hpo.states import StudyState, TrialState
from hpo.storage.base import Storage, StudyQuery
from hpo.storage.base_external import Terms, Wanted
from hpo.storage.tables import REVISIONS
from hpo.testing.studies import SPACE, begun, finished, new_study, plans


class CensusContract:
    """Counts agree with the lists of what is counted."""

    def test_the_census_counts_what_the_lists_show(self, storage: Storage) -> None:
        storage.release(finished(storage, [0.5, 0.25], name="ended"), StudyState.COMPLETED)
        begun(storage, 3, name="running")
        storage.create_study(new_study("waiting"))

        census = storage.census()

        shown = storage.list_studies(StudyQuery())
        states = Counter(trial.state for study in shown for trial in storage.trials(study.name))
        assert {state: n for state, n in census.studies.items() if n} == Counter(s.state for s in shown)
        assert {state: n for state, n in census.trials.items() if n} == states
        assert (set(census.studies), set(census.trials)) == (set(StudyState), set(TrialState))

    def test_trials_that_were_handed_back_are_counted_apart(self, storage: Storage) -> None:
        for name, n in (("running", 3), ("paused", 2), ("queued", 4)):
            claim, _ = begun(storage, n, name=name)
            if name != "running":
                storage.release(claim, StudyState.PAUSED)
        storage.move_study("queued", StudyState.QUEUED)
        # Who trains elsewhere may go on while the study rests.
        storage.create_study(new_study("far", spec={"trainer": "external"}))
        storage.hand_out("far", SPACE, Wanted(client="one", count=5, plans=plans(0, 5)), Terms())
        storage.move_study("far", StudyState.PAUSED)

        census = storage.census()

        assert census.trials[TrialState.RUNNING] == 14
        assert census.n_resting == 6

    def test_an_empty_storage_counts_nothing(self, storage: Storage) -> None:
        census = storage.census()

        assert (sum(census.studies.values()), sum(census.trials.values()), census.n_resting) == (0, 0, 0)
        assert (census.waits_s, tuple(census.live)) == (0.0, ())

    def test_only_a_study_that_waits_for_a_server_grows_old_in_the_queue(self, storage: Storage) -> None:
        storage.create_study(new_study("mine"))
        alone = storage.census().waits_s
        storage.create_study(new_study("served", served=True))

        ages = [storage.census().waits_s]
        deadline = time.monotonic() + 10.0
        while ages[-1] == ages[0] and time.monotonic() < deadline:
            ages.append(storage.census().waits_s)

        assert alone == 0.0
        assert 0.0 <= ages[0] < ages[-1] < 60.0

    def test_the_census_has_what_drivers_last_said(self, storage: Storage) -> None:
        claim, _ = begun(storage, 2)
        storage.renew(claim, live={"trials_per_s": 2.5})
        before = storage.census().live
        storage.release(claim, StudyState.PAUSED)

        assert [said["trials_per_s"] for said in before] == [2.5]
        assert tuple(storage.census().live) == ()

    def test_the_revision_is_the_newest(self, storage: Storage) -> None:
        assert storage.revision() == REVISIONS[-1]

"""What a sampler is told of the trials of other studies."""

import pytest

from hpo.service import specfile
from hpo.service.warm_trials import warm_trials
from hpo.storage.memory import Memory
from tests.service.conftest import FILE, Studies, result_of


class Busy(Memory):
    """A storage whose study goes on: `meanwhile` happens after each page that is read of it."""

    meanwhile = staticmethod(lambda: None)

    def trials(self, name, query):
        found = super().trials(name, query)
        self.meanwhile()
        return found


@pytest.fixture
def storage():
    return Busy()


def test_each_trial_counts_once_though_others_finish_while_they_are_read(storage, monkeypatch):
    monkeypatch.setattr("hpo.service.results.PAGE", 2)
    studies = Studies(storage)
    claim = studies.running("wine", n_running=4)
    [cohort] = storage.open_cohorts("wine")
    results = [result_of(number, 0.5) for number in (1, 2, 3)]
    storage.finish_trials(claim, cohort.id, cohort.attempt, results)
    new = studies.queued("new")
    late = [result_of(0, 0.9)]
    storage.meanwhile = lambda: storage.finish_trials(claim, cohort.id, cohort.attempt, late)

    found = warm_trials(storage, new, specfile.parse(f"{FILE}\nsampler: tpe\nwarm_start: [wine]"))

    assert [trial.number for trial in found] == [1, 2, 3]

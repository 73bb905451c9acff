"""A study whose sampler's own process fails: it ends with a sentence, and can be resumed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import psutil
import pytest

from hpo.account import Account, Role
from hpo.samplers import registry
from hpo.samplers.apart import MODULE, ApartSampler
from hpo.service.acting import resume
from hpo.states import StudyState, TrialState
from hpo.storage.open import open_storage
from hpo.study import SamplerSpec
from hpo.testing.coordinating import serving_coordinator, submit, wait_until
from hpo.testing.served_studies import alone, bits, file_of
from hpo.testing.simulated_pool import SimulatedPool
from hpo.testing.small_jobs import spec_of

BATCH = 4
OPTIONS = {"n_startup_trials": 100}  # so that no plan needs torch
DIED = "the process that works out plans died twice"
CURE = "; resume the study, or go on with sampler: tpe in a fork of it"


def thinkers():
    """The processes of this one that work out plans."""
    found = []
    for child in psutil.Process().children():
        try:
            if MODULE in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def study_file(name):
    options = f"{{n_startup_trials: {OPTIONS['n_startup_trials']}}}"
    return file_of(name, trials="14", sampler=f"{{name: gp, batch: {BATCH}, options: {options}}}")


def ended_while(storage, text, harm):
    """The study as a server leaves it, while harm comes to every process that works out plans."""
    harmed = set()

    def over():
        for process in thinkers():
            if process.pid not in harmed:
                harmed.add(process.pid)
                harm(process)
        return storage.get_study("one").state is StudyState.FAILED

    with serving_coordinator(storage, SimulatedPool()):
        submit(storage, text)
        wait_until(over, "it has failed", patience_s=30)
        return storage.get_study("one"), len(harmed)


def test_on_a_server_a_study_whose_plans_are_killed_fails_with_the_sentence_and_can_be_resumed():
    storage, text = open_storage("memory://"), study_file("one")

    failed, n_killed = ended_while(storage, text, psutil.Process.kill)
    resume(storage, Account(owner=None, role=Role.SUBMITTER), "one")
    with serving_coordinator(storage, SimulatedPool()) as serving:
        (study,) = serving.ended("one")

    assert (failed.reason, n_killed) == (f"{DIED} (exit code -9){CURE}", 2)
    assert failed.counts[TrialState.COMPLETE] == 2 * BATCH
    assert (study.state, study.reason) == (StudyState.COMPLETED, None)
    assert bits(storage, "one") == alone(text)[0]


def test_on_a_server_a_study_whose_plans_are_frozen_fails_with_the_sentence(monkeypatch):
    monkeypatch.setattr(registry, "ApartSampler", partial(ApartSampler, silence_at_start_s=0.5))
    storage = open_storage("memory://")

    failed, _ = ended_while(storage, study_file("one"), psutil.Process.suspend)

    assert failed.reason.startswith(f"{DIED} (silent for ")
    assert failed.reason.endswith(CURE)
    assert not thinkers()


@pytest.mark.parametrize("serving", [False, True])
def test_trials_that_have_begun_end_before_the_study_fails(make_world, serving):
    sampler = SamplerSpec(name="gp", seed=0, batch=BATCH, options=OPTIONS)
    world = make_world(replace(spec_of(trials=14, epochs=20), sampler=sampler))
    killed = []

    def kill():
        if world.n_finished >= BATCH and len(killed) < 2:
            wait_until(thinkers, "plans are worked out")
            killed.extend(thinkers())
            killed[-1].kill()
            wait_until(lambda: killed[-1] not in thinkers(), "it is dead")

    study = world.run(workers=1, max_lanes=BATCH, each_poll=kill, serving=serving)

    began = world.pools[0].submitted
    assert (study.state, study.reason) == (StudyState.FAILED, f"{DIED} (exit code -9){CURE}")
    assert [task.numbers for task in began] == [(0, 1, 2, 3), (4, 5, 6, 7)]
    assert [trial.state for trial in world.trials()] == [TrialState.COMPLETE] * 2 * BATCH

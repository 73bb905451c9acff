"""Trials trained elsewhere: the same plans whoever serves, every number once, and studies that end by themselves."""

import math
import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from sqlalchemy import event

from hpo.account import ANYBODY, Account, Role
from hpo.errors import IllegalMove, NotAllowed, StudyOwned
from hpo.service import acting, amending, external, processes, specfile, submit
from hpo.service.external import Outcome
from hpo.service.lifecycle import remove, resumable
from hpo.service.submit import Draft, Sender
from hpo.states import StudyState, TrialState
from hpo.storage.base import TrialQuery
from hpo.storage.open import open_storage
from hpo.testing.studies import complete as ended
from hpo.testing.studies import counted, finished

PARAMETERS = """
trainer: external
name: far
objective: {metric: loss, direction: minimize}
parameters:
  rate: {low: 1e-4, high: 1, log: true, num: 5}
  depth: {low: 1, high: 5, type: int}
"""


def made(storage, *lines, owner=None):
    text = "\n".join([PARAMETERS, *lines])
    draft = Draft(spec=specfile.parse(text), folder=Path(), stem="far")
    return submit.create(storage, draft, None, sender=Sender(owner=owner))[0]


def loss(params):
    return abs(math.log10(params["rate"]) + 2) + abs(params["depth"] - 5) / 4


def ask(storage, client="one", count=1):
    return external.ask(storage, ANYBODY, "far", client=client, count=count)


def tell(storage, number, **outcome):
    return external.tell(storage, ANYBODY, "far", number, Outcome(**outcome))


def tell_loss(storage, trial):
    tell(storage, trial["number"], value=loss(trial["params"]))


def params_of(storage):
    return {trial.number: dict(trial.params) for trial in storage.trials("far")}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def storages(sqlite):
    """Two processes' handles on one database: what one knows the other does not."""
    both = open_storage(sqlite), open_storage(sqlite)
    yield both
    for storage in both:
        storage.close()


@pytest.fixture
def storage():
    return open_storage("memory://")


def train_alone(*lines):
    """What one client gets that trains one trial after another."""
    storage = open_storage("memory://")
    made(storage, *lines)
    while not (handed := ask(storage))["over"]:
        tell_loss(storage, handed["trials"][0])
    return params_of(storage)


def train_in_disorder(storages, seed):
    """What many clients get, of two processes, that finish in any order."""
    random_ = random.Random(seed)
    running, clients = [], 0
    while True:
        if running and random_.random() < 0.5:
            tell_loss(random_.choice(storages), running.pop(random_.randrange(len(running))))
            continue
        clients += 1
        handed = ask(random_.choice(storages), f"client-{clients}", random_.choice([1, 1, 3]))
        if handed["over"]:
            return params_of(storages[0])
        running += handed["trials"]
        if not handed["trials"]:
            tell_loss(random_.choice(storages), running.pop(random_.randrange(len(running))))


SAMPLERS = {
    "random": ["sampler: random"],
    "sobol": ["sampler: sobol"],
    "grid": ["sampler: grid"],
    "tpe": ["sampler: {name: tpe, batch: 4, options: {n_startup_trials: 4}}"],
    "nsga2": ["sampler: {name: nsga2, batch: 4}"],
    "cmaes": ["sampler: {name: cmaes, batch: 4}"],
    "coarse_to_fine": ["sampler: coarse_to_fine", "epochs: 9"],
}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_plans_depend_on_no_process_and_on_no_order(storages, sampler):
    lines = [*SAMPLERS[sampler], "trials: 25"]
    undisturbed = train_alone(*lines)
    made(storages[0], *lines)

    assert train_in_disorder(storages, seed=3) == undisturbed
    assert len(undisturbed) == 25


def test_a_grid_gives_every_point_once_beside_what_is_enqueued(storages):
    made(storages[0], "sampler: grid", "enqueue: [{rate: 0.01, depth: 3}]")
    acting.enqueue(storages[0], ANYBODY, "far", [{"rate": 0.1, "depth": 1}])

    train_in_disorder(storages, seed=5)

    sampled = [t.params for t in storages[0].trials("far") if t.sampled]
    assert len(storages[0].trials("far")) == 27
    assert len({(p["rate"], p["depth"]) for p in sampled}) == len(sampled) == 25


def test_a_sampler_that_learns_waits_for_its_batches(storage):
    made(storage, "trials: 20", "sampler: {name: tpe, batch: 4}")

    first = ask(storage, count=20)
    assert len(first["trials"]) == 8  # two batches know of nothing
    waits = ask(storage, "two")
    assert (waits["trials"], waits["over"]) == ([], False)
    assert "waits for results" in waits["reason"]
    for trial in first["trials"][:4]:
        tell_loss(storage, trial)

    assert len(ask(storage, "two", 20)["trials"]) == 4


def test_gp_works_its_plans_out_apart_and_the_client_is_asked_to_come_again(storage):
    made(storage, "trials: 10", "sampler: {name: gp, batch: 3}")
    reasons, deadline = set(), time.monotonic() + 240

    while not (handed := ask(storage, count=3))["over"]:
        for trial in handed["trials"]:
            tell_loss(storage, trial)
        if not handed["trials"]:
            reasons.add(handed["reason"])
            time.sleep(handed["retry_after_s"])
            assert time.monotonic() < deadline

    assert reasons == {"gp is working out the next settings"}
    assert counted(storage.get_study("far").counts) == {"COMPLETE": 10}
    thinking = [child for child in psutil.Process().children() if "hpo.samplers.thinking" in child.cmdline()]
    assert not thinking


CLIENT = """
    import sys
    from hpo.account import ANYBODY
    from hpo.service import external
    from hpo.service.external import Outcome
    from hpo.storage.open import open_storage

    storage, n = open_storage(sys.argv[1]), 0
    while True:
        handed = external.ask(storage, ANYBODY, "far", client=sys.argv[2], count=3)
        if handed["over"]:
            break
        for trial in handed["trials"]:
            n += 1
            external.tell(storage, ANYBODY, "far", trial["number"], Outcome(value=float(trial["number"])))
    print(n)
"""


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_processes_that_ask_at_the_same_moment_never_get_one_number_twice(url, sampler):
    storage = open_storage(url)
    made(storage, "trials: 60", f"sampler: {sampler}")
    command = [sys.executable, "-c", textwrap.dedent(CLIENT), url]

    running = [
        subprocess.Popen([*command, f"client-{n}"], stdout=subprocess.PIPE, text=True) for n in range(3)
    ]
    told = [int(process.communicate(timeout=100)[0]) for process in running]

    assert sum(told) == 60
    trials = storage.trials("far")
    assert [(t.number, t.value) for t in trials] == [(n, float(n)) for n in range(60)]
    assert sorted(t.place for t in trials) == list(range(1, 61))
    assert params_of(storage) == _alone_by_number(sampler)
    storage.close()


def _alone_by_number(sampler):
    storage = open_storage("memory://")
    made(storage, "trials: 60", f"sampler: {sampler}")
    while not (handed := ask(storage))["over"]:
        number = handed["trials"][0]["number"]
        tell(storage, number, value=float(number))
    return params_of(storage)


@pytest.mark.parametrize("sampler", ["random", "sobol"])
def test_asking_costs_the_same_however_many_trials_there_are(tmp_path, sampler):
    storage = open_storage(f"sqlite:///{tmp_path / 'hpo.db'}")
    made(storage, "trials: 100000", f"sampler: {sampler}")
    statements = []

    @event.listens_for(storage._db.engine, "before_cursor_execute")
    def _count(_connection, _cursor, statement, *_rest):
        statements.append(statement)

    costs = []
    for n in (1, 900):
        for trial in ask(storage, count=n)["trials"]:
            tell(storage, trial["number"], value=1.0)
        statements.clear()
        tell(storage, ask(storage)["trials"][0]["number"], value=1.0)
        costs.append(len(statements))

    assert costs[1] <= costs[0]
    storage.close()


# The life of a study


def test_a_sweep_ends_what_was_lost_and_the_study_with_it(storage):
    made(storage, "trials: 1", "limits: {lease: 1, retries: 0}")
    ask(storage)
    deadline = time.monotonic() + 10

    while storage.get_study("far").state is StudyState.RUNNING:
        external.sweep(storage)
        assert time.monotonic() < deadline

    study = storage.get_study("far")
    assert (study.state, study.reason) == (StudyState.FAILED, "not one trial is complete: 1 lost")


def test_a_sweep_ends_a_study_whose_time_is_over(storage):
    made(storage, "trials: 5", "limits: {wall_time: 0.2}")
    ask(storage, count=2)
    external.report(storage, ANYBODY, "far", 0, epoch=1, value=0.5)
    deadline = time.monotonic() + 10

    while storage.get_study("far").state is StudyState.RUNNING:
        external.sweep(storage)
        assert time.monotonic() < deadline

    one, two = storage.trials("far")
    assert (one.state, one.reason, one.value) == (TrialState.PRUNED, "wall_time@1", 0.5)
    assert two.reason == "wall_time@0"
    assert "wall_time 0.2 s is over" in storage.get_study("far").reason


def test_a_plateau_ends_the_study_and_later_trials_do_not_count(storages):
    made(storages[0], "trials: 50", "stop: {plateau: {trials: 3}}")
    trials = ask(storages[0], count=10)["trials"]
    values = [5.0, 4.0, 4.5, 4.2, 4.1, 1.0, 1.0, 1.0, 1.0, 1.0]

    for n in (9, 8, 0, 1, 2, 3, 4, 5, 6, 7):
        tell(storages[n % 2], trials[n]["number"], value=values[n])

    study = storages[0].get_study("far")
    assert (study.state, study.counted) == (StudyState.COMPLETED, 5)
    assert storages[0].best_trials("far")[0].number == 1


def test_a_completed_study_goes_on_with_more_trials(storage):
    made(storage, "trials: 2", "sampler: tpe")
    for trial in ask(storage, count=2)["trials"]:
        tell_loss(storage, trial)
    assert ask(storage)["over"]

    acting.resume(storage, ANYBODY, "far", trials=3)
    [trial] = ask(storage)["trials"]
    tell_loss(storage, trial)

    assert trial["number"] == 2
    assert storage.get_study("far").state is StudyState.COMPLETED


def test_limits_that_are_changed_hold_from_the_next_ask_on(storage):
    made(storage, "limits: {parallel: 1}")
    assert len(ask(storage, count=3)["trials"]) == 1
    assert "limits.parallel is 1" in ask(storage, "two")["reason"]

    amending.amend(storage, ANYBODY, "far", {"limits": {"parallel": 2, "lease": 7}})

    [trial] = ask(storage, "two", 3)["trials"]
    assert (trial["number"], trial["lease_s"]) == (1, 7.0)


def test_a_study_of_the_same_name_made_again_begins_anew(storages):
    storage, _ = storages  # SQLite gives it the old one's id
    proposed = []
    for seed in (1, 2):
        made(storage, "trials: 2", f"sampler: {{name: tpe, batch: 2, seed: {seed}}}")
        proposed.append(ask(storage)["trials"][0]["params"])
        acting.act(storage, ANYBODY, "far", "cancel")
        acting.remove(storage, ANYBODY, "far")

    assert proposed[0] != proposed[1]


def test_trials_of_a_running_study_are_not_removed_under_their_clients(storage):
    made(storage)
    ask(storage)

    with pytest.raises(StudyOwned, match="cancel"):
        remove(storage, "far", me=processes.this_process(), is_alive=processes.is_alive)


def test_resuming_a_study_that_runs_changes_nothing(storage):
    made(storage)
    ask(storage)

    assert acting.resume(storage, ANYBODY, "far").state is StudyState.RUNNING
    assert resumable(storage, "far", trials=None, is_alive=processes.is_alive).dead is None


def test_a_trial_in_rounds_is_told_how_long_to_train(storage):
    made(storage, "trials: 24", "epochs: 8", "sampler: coarse_to_fine")

    assert ask(storage)["trials"][0]["epochs"] == 2


def test_rounds_are_shown_with_their_study(storage):
    made(storage, "trials: 24", "sampler: coarse_to_fine")
    for trial in ask(storage, count=8)["trials"]:
        tell_loss(storage, trial)

    ask(storage)

    assert [one["ended"] for one in storage.get_study("far").notes["rounds"]] == [True, False]


def test_fixed_values_come_with_each_trial(storage):
    draft = specfile.parse(PARAMETERS + "  layers: 3\n")
    submit.create(storage, Draft(spec=draft, folder=Path(), stem="far"), None)

    assert ask(storage)["trials"][0]["fixed"] == {"layers": 3}


def test_warm_start_tells_the_sampler_what_another_study_found(storage):
    made(storage, "trials: 12")
    for trial in ask(storage, count=12)["trials"]:
        tell_loss(storage, trial)
    text = PARAMETERS.replace("name: far", "name: next") + "warm_start: [far]\nsampler: tpe\n"
    submit.create(storage, Draft(spec=specfile.parse(text), folder=Path(), stem="next"), None)
    cold = PARAMETERS.replace("name: far", "name: cold") + "sampler: tpe\n"
    submit.create(storage, Draft(spec=specfile.parse(cold), folder=Path(), stem="cold"), None)

    def first(name):
        return external.ask(storage, ANYBODY, name, client="one")["trials"][0]["params"]

    assert first("next") != first("cold")


def test_only_its_owner_or_an_admin_may_train_for_a_study(storage):
    made(storage, owner="ada")
    bob, admin = Account(owner="bob", role=Role.SUBMITTER), Account(owner="root", role=Role.ADMIN)

    with pytest.raises(NotAllowed, match="belongs to ada"):
        external.ask(storage, bob, "far", client="one")

    assert external.ask(storage, admin, "far", client="one")["trials"]


def test_what_hpo_trains_is_not_told_by_others(storage):
    finished(storage, [0.5])

    with pytest.raises(IllegalMove, match="trainer: external"):
        external.tell(storage, ANYBODY, "wine", 0, Outcome(value=1.0))
    assert storage.trials("wine", TrialQuery())[0].value == ended(0, 0.5).value

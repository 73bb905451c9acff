"""A population in a worker equals training by hand, and what it found can be trained again alone."""

from dataclasses import replace

import pytest

from hpo.cohort import CohortDone
from hpo.evolution import Change, Evolution, history, schedule_of
from hpo.fused.device import prepare_process
from hpo.fused.trainer import Trainer
from hpo.models import from_bytes
from hpo.pruners.population import perturbed, sources
from hpo.space import Choice, Fixed, Range, SearchSpace
from hpo.states import TrialState
from hpo.testing.lanes import make_data, make_task
from hpo.training import settings_of
from hpo.trial import Inheritance, Trial
from hpo.workers.runner import perform

SPACE = SearchSpace(
    {
        "learning_rate": Range(low=1e-3, high=1.0, log=True, type="float"),
        "dropout": Range(low=0.0, high=0.5, type="float"),
        "optimizer": Choice(choices=("momentum", "adam")),
        "momentum": Range(low=0.5, high=0.99, type="float", when={"optimizer": ("momentum",)}),
        "activation": Choice(choices=("relu", "tanh", "leaky_relu")),
        "schedule": Choice(choices=("constant", "cosine")),
        "hidden_units": Fixed(value="13-5"),
        "batch_size": Fixed(value=16),
    }
)
SETTLED = {"epochs": 12}
PARAMS = {
    number: {
        "learning_rate": 10 ** (-3 + 0.3 * number),
        "dropout": 0.05 * number,
        "optimizer": "adam" if number % 3 else "momentum",
        "activation": ("relu", "tanh", "leaky_relu")[number % 3],
        "schedule": "constant",
    }
    | ({} if number % 3 else {"momentum": 0.9})
    for number in range(10)
}
EVOLUTION = Evolution(
    space=SPACE, settled=SETTLED, params=PARAMS, seed=5, every=2, quantile=0.3, resample=0.3
)
DATA = make_data(61, 6, 3, n_validation=23)


def population(numbers=tuple(PARAMS), *, repeats=2, **changes):
    task = make_task(DATA, [EVOLUTION.values(PARAMS[n]) for n in numbers], repeats=repeats)
    lanes = tuple(replace(lane, number=numbers[lane.number]) for lane in task.lanes)
    return replace(task, lanes=lanes, evolution=EVOLUTION, **changes)


def run(task):
    """The last word of a task, and how its trials ended."""
    prepare_process()
    ended = {}
    done = perform(
        task, lambda: DATA, device="cpu", report=lambda r: ended.update({e.number: e for e in r.ended})
    )
    assert isinstance(done, CohortDone), done
    return done, ended


@pytest.fixture(autouse=True)
def _as_in_a_worker():
    prepare_process()


@pytest.fixture(scope="module")
def trained():
    return run(population())


def settings_by_hand(params, source):
    _, settings = settings_of(SETTLED | SPACE.active(params), task=DATA.task, n_classes=3)
    assert settings.hidden == source.hidden
    return settings


def test_a_population_equals_training_by_hand_with_copies(trained):
    trainer, params, ended = Trainer(replace(population(), evolution=None), DATA), dict(PARAMS), {}

    def copying(report):
        ended.update({result.number: result for result in report.ended})
        if report.epoch % 2 == 0 and trainer.trials:
            values = dict(zip(report.numbers, report.values, strict=True))
            pairs = sources({n: values[n] for n in trainer.trials}, 1, EVOLUTION, report.epoch // 2)
            new = {to: perturbed(params[of], EVOLUTION, to, report.epoch // 2) for to, of in pairs.items()}
            params.update(new)
            settings = {
                to: settings_by_hand(new[to], trainer.trials[of].settings) for to, of in pairs.items()
            }
            trainer.copy(pairs, settings)

    trainer.run(copying)

    _, found = trained
    assert {n: replace(result, lineage=()) for n, result in found.items()} == ended
    assert sum(len(result.lineage) for result in found.values()) >= 10
    assert any(
        result.lineage[-1].params["activation"] != PARAMS[n]["activation"]
        for n, result in found.items()
        if result.lineage
    )


def stored(ended):
    """The results as the database would have them."""
    return {
        n: Trial(
            number=n,
            state=result.state,
            reason=result.reason,
            value=result.value,
            stderr=result.stderr,
            params=PARAMS[n],
            epochs=result.epochs,
            best_epoch=result.best_epoch,
            cohort=1,
            lineage=result.lineage,
        )
        for n, result in ended.items()
    }


def test_every_trial_trained_again_by_its_schedule_alone_has_the_same_value_and_model_to_the_bit(trained):
    done, ended = trained
    trials = stored(ended)
    inherited = 0
    for number, trial in trials.items():
        if trial.state is not TrialState.COMPLETE:
            continue
        start, changes = history(trials, number, trial.best_epoch)
        inherited += bool(changes)
        schedule = schedule_of(SPACE, start, changes)
        alone = Evolution(space=SPACE, settled=SETTLED, params={number: start}, schedule=schedule)
        task = make_task(DATA, [alone.values(start)], repeats=2)
        lanes = tuple(replace(lane, number=number) for lane in task.lanes)

        replayed, results = run(replace(task, lanes=lanes, evolution=alone, until=trial.best_epoch))

        result = results[number]
        assert (result.value.hex(), result.stderr.hex()) == (trial.value.hex(), trial.stderr.hex())
        assert (result.best_epoch, result.epochs) == (trial.best_epoch, trial.best_epoch)
        if number == done.best_number:
            assert replayed.model == done.model
    assert inherited >= 5


def test_the_models_settings_are_those_of_its_best_epoch(trained):
    done, ended = trained
    best = ended[done.best_number]
    before = [c for c in best.lineage if c.epoch < best.best_epoch]
    params = before[-1].params if before else PARAMS[best.number]

    assert from_bytes(done.model).settings.learning_rate == params["learning_rate"]


def test_trials_that_stop_early_leave_the_population_and_keep_what_they_inherited():
    patient = replace(EVOLUTION, settled=SETTLED | {"patience": 3})
    task = population(repeats=1)
    lanes = tuple(replace(lane, settings=replace(lane.settings, patience=3)) for lane in task.lanes)

    _, ended = run(replace(task, lanes=lanes, evolution=patient))

    stopped = {n for n, result in ended.items() if result.reason}
    assert stopped
    for result in ended.values():
        assert all(change.epoch < result.epochs for change in result.lineage)
        for change in result.lineage:
            assert ended[change.source].epochs > change.epoch


def test_a_lone_trial_never_changes():
    _, alone = run(population((4,)))
    _, plain = run(replace(population((4,)), evolution=None))

    assert alone == plain


def test_a_schedule_changes_all_trials_that_follow_it():
    schedule = (Change(epoch=3, values={"learning_rate": 0.02}),)
    told = replace(EVOLUTION, every=0, schedule=schedule)
    trainer = Trainer(replace(population(), evolution=None), DATA)
    ended = {}

    def changing(report):
        ended.update({result.number: result for result in report.ended})
        if report.epoch == 3:
            settings = {n: replace(t.settings, learning_rate=0.02) for n, t in trainer.trials.items()}
            trainer.copy({n: n for n in settings}, settings)

    trainer.run(changing)

    assert run(replace(population(), evolution=told))[1] == ended


def test_a_change_that_weights_cannot_follow_is_one_sentence():
    schedule = (Change(epoch=1, values={"optimizer": "adagrad"}),)
    task = replace(population(), evolution=replace(EVOLUTION, every=0, schedule=schedule))

    failed = perform(task, lambda: DATA, device="cpu", report=lambda result: None)

    assert failed.reason == "error"
    assert failed.detail.startswith("parameters.optimizer: adagrad cannot go on from the states of")


def test_lineage_holds_all_searched_values_from_then_on(trained):
    _, ended = trained
    for result in ended.values():
        for change in result.lineage:
            assert isinstance(change, Inheritance)
            wanted = {n for n, p in SPACE.searched.items() if n != "momentum"}
            assert set(change.params) - {"momentum"} == wanted
            assert ("momentum" in change.params) is (change.params["optimizer"] == "momentum")

"""Every entry of every table trains: from a study file to a scored model, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hpo.cohort import CohortDone, ScoreDone, ScoreTask
from hpo.coordinator.flight import TaskMaker
from hpo.coordinator.planner import Resolver, cut, group
from hpo.data.prepare import prepare
from hpo.fused.device import prepare_process
from hpo.hyperparams import (
    ACTIVATIONS,
    CYCLIC_MODES,
    HYPERPARAMETERS,
    INITIALIZERS,
    LOSSES,
    OPTIMIZERS,
    SCALINGS,
    SCHEDULES,
    WIDTH_RULES,
)
from hpo.models import from_bytes
from hpo.models.predict import predict
from hpo.samplers.registry import make_sampler
from hpo.service.specfile import complete, parse
from hpo.service.submit import scalings_of
from hpo.states import TrialState
from hpo.study import METRICS
from hpo.workers.runner import perform

EPOCHS = 4
SOURCES = {"huber_delta": "diabetes"}
DATA = {"cross_entropy": "wine", "binary_cross_entropy": "breast_cancer"}  # for other losses: diabetes

# Tables whose every name trains beside all the others.
TABLES = {
    "optimizer": OPTIMIZERS,
    "activation": ACTIVATIONS,
    "initializer": INITIALIZERS,
    "schedule": SCHEDULES,
    "scaling": SCALINGS,
    "hidden_units": WIDTH_RULES,
}
# Entries that are numbers or flags, or count only beside another.
KNOBS = {
    "hidden_layers": {"hidden_layers": [0, 3]},
    "hidden_units": {"hidden_units": {"low": 3, "high": 40}},
    "samples_alpha": {"hidden_units": "samples", "samples_alpha": {"low": 2, "high": 10}},
    "negative_slope": {"activation": "leaky_relu", "negative_slope": [0.0, 0.3]},
    "elu_alpha": {"activation": "elu", "elu_alpha": [0.5, 2]},
    "maxout_pieces": {"activation": "maxout", "maxout_pieces": [2, 3]},
    "batch_norm": {"batch_norm": [True, False]},
    "dropout": {"dropout": {"low": 0, "high": 0.5}},
    "input_dropout": {"input_dropout": {"low": 0, "high": 0.5}},
    "init_scale": {"initializer": ["orthogonal", "variance_scaling"], "init_scale": [0.5, 2]},
    "init_mode": {"initializer": "variance_scaling", "init_mode": ["fan_in", "fan_out", "fan_avg"]},
    "init_distribution": {
        "initializer": "variance_scaling",
        "init_distribution": ["uniform", "truncated_normal", "untruncated_normal"],
    },
    "bias_init": {"bias_init": [0.0, 0.01]},
    "huber_delta": {"loss": "huber", "huber_delta": [0.1, 2]},
    "label_smoothing": {"label_smoothing": [0, 0.2]},
    "class_weight": {"class_weight": ["none", "balanced"]},
    "learning_rate": {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}},
    "momentum": {"optimizer": ["momentum", "nesterov"], "momentum": [0.5, 0.95]},
    "beta1": {"beta1": [0.5, 0.95]},
    "beta2": {"beta2": [0.9, 0.9999]},
    "rho": {"optimizer": ["adadelta", "rmsprop"], "rho": [0.5, 0.99]},
    "epsilon": {"epsilon": [1e-10, 1e-3]},
    "centered": {"optimizer": "rmsprop", "centered": [True, False]},
    "l1": {"l1": [0, 1e-3]},
    "l2": {"l2": [0, 1e-2]},
    "weight_decay": {"optimizer": ["sgd", "adamw"], "weight_decay": [0, 0.1]},
    "clip_norm": {"clip_norm": [0.1, 10]},
    "clip_value": {"clip_value": [0.01, 1]},
    "skip_norm": {"skip_norm": [0.5, 10]},
    "step_epochs": {"schedule": "step", "step_epochs": [1, 2]},
    "decay": {"schedule": ["step", "exponential"], "decay": [0.5, 1]},
    "rate_floor": {"schedule": ["cosine", "cyclic"], "rate_floor": [0, 0.5]},
    "cycle_epochs": {"schedule": "cyclic", "cycle_epochs": [1, 3]},
    "cyclic_mode": {"schedule": "cyclic", "cycle_epochs": 2, "cyclic_mode": list(CYCLIC_MODES)},
    "warmup_epochs": {"warmup_epochs": [0, 2]},
    "batch_size": {"batch_size": [5, 32]},
    "epochs": {"epochs": [2, EPOCHS]},
    "patience": {"patience": [1, 3], "min_delta": 1.0},
    "min_delta": {"patience": 1, "min_delta": [0, 1.0]},
    "pca_components": {"scaling": ["pca", "whiten"], "pca_components": [2, 3]},
}


@pytest.fixture(autouse=True)
def _as_a_worker_does():
    prepare_process()


def trained(parameters, source="wine", *, n_trials=6, per_cohort=None, sampler="random"):
    """Train trials of a study, and score the best of each cohort on the test rows; results by number."""
    objective = "rmse" if source == "diabetes" else "log_loss"
    text = {
        "data": source,
        "objective": objective,
        "trials": n_trials,
        "sampler": sampler,
        "parameters": parameters,
    }
    spec = parse(json.dumps(text if "epochs" in parameters else text | {"epochs": EPOCHS}))
    data = prepare(spec.data, scalings=scalings_of(spec), folder=Path(), seed=spec.seed)
    spec = complete(spec, data.info)
    resolver = Resolver(spec, data.info)
    maker = TaskMaker(spec=spec, info=data.info, metric=objective, direction=METRICS[objective])
    trials = [resolver.resolve(plan.number, plan.params) for plan in make_sampler(spec).ask(0, spec.trials)]
    results = {}
    for part in [
        part
        for members in group(trials)
        for part in cut(members, -(-len(members) // (per_cohort or n_trials)))
    ]:
        epochs = []
        scaled = data.scaled[part[0].shared.scaling]
        done = done_of(maker.task(1, 1, part), scaled.training, epochs)
        results |= {result.number: result for epoch in epochs for result in epoch.ended}
        check_model(done.model, scaled.test[0])
    assert sorted(results) == list(range(n_trials))
    assert {result.state for result in results.values()} == {TrialState.COMPLETE}
    return results


def done_of(task, data, epochs):
    done = perform(task, lambda: data, device="cpu", report=epochs.append)
    assert isinstance(done, CohortDone), done
    return done


def check_model(model, rows):
    """The kept model is worth on test rows what numpy makes of it."""
    kept = from_bytes(model)
    metric = "accuracy" if kept.n_classes else "rmse"
    task = ScoreTask(id=1, model=model, test=rows, metrics=(metric,))
    scored = perform(task, lambda: None, device="cpu", report=lambda epoch: None)
    assert isinstance(scored, ScoreDone), scored
    guess = predict(kept, [rows.x])
    wanted = rows.y * kept.target_scaling.scale + kept.target_scaling.mean
    plain = (guess == rows.y).mean() if kept.n_classes else ((guess - wanted) ** 2).mean() ** 0.5
    assert scored.scores[metric] == pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize("table", TABLES)
def test_every_name_of_a_table_trains(table):
    results = trained({table: list(TABLES[table])}, sampler="grid", n_trials=len(TABLES[table]))

    assert len({result.value for result in results.values()}) > len(TABLES[table]) / 2


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_model_of_every_activation_is_kept_whole(activation):
    trained({"activation": activation, "batch_norm": [True, False], "maxout_pieces": 3}, n_trials=4)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains_on_the_data_it_is_for(loss):
    trained({"loss": loss, "learning_rate": [0.01, 0.001]}, DATA.get(loss, "diabetes"))


@pytest.mark.parametrize("name", KNOBS)
def test_every_knob_trains_and_makes_a_difference(name):
    results = trained({"learning_rate": 0.003} | KNOBS[name], SOURCES.get(name, "wine"))

    assert len({(result.value, result.epochs) for result in results.values()}) > 1


def test_these_are_the_whole_vocabulary():
    assert {*TABLES, *KNOBS, "loss"} == set(HYPERPARAMETERS)
    for table in set(TABLES) - {"hidden_units"}:
        assert TABLES[table] == HYPERPARAMETERS[table].choices


def test_how_trials_of_a_range_of_widths_are_cut_changes_no_result():
    parameters = {"hidden_units": {"low": 3, "high": 12}, "hidden_layers": 1, "optimizer": ["sgd", "adam"]}

    together = trained(parameters, n_trials=8)
    alone = trained(parameters, n_trials=8, per_cohort=1)

    assert len({result.value for result in together.values()}) == 8
    for number, result in together.items():
        assert (result.value, result.curve) == (alone[number].value, alone[number].curve)

"""How many trials are planned at once."""

from hpo.coordinator.capacity import Machine
from hpo.coordinator.planner import MOST_IN_WINDOW, Planner, Resolver
from hpo.coordinator.proposals import Proposals
from hpo.coordinator.window import next_window
from hpo.samplers.registry import make_sampler
from hpo.space import Choice
from hpo.testing.small_jobs import LEARNING_RATE, data_of, space_of, spec_of


def window_of(spec, *, planned=0, slots=2, max_lanes=None):
    info = data_of().info
    proposals = Proposals(make_sampler(spec), planned=planned, total=spec.trials)
    planner = Planner(spec, info, Machine(n_slots=slots, memory_bytes=2**30), max_lanes=max_lanes)
    plans, trials = next_window(proposals, Resolver(spec, info), planner)
    assert [plan.number for plan in plans] == [trial.number for trial in trials]
    return [plan.number for plan in plans]


def test_a_short_study_is_planned_at_once():
    assert window_of(spec_of(trials=100), max_lanes=16) == list(range(100))


def test_a_long_study_is_planned_two_cohorts_a_slot_at_a_time():
    assert window_of(spec_of(trials=10_000), max_lanes=32) == list(range(128))
    assert window_of(spec_of(trials=10_000), planned=500, max_lanes=32) == list(range(500, 628))


def test_the_last_window_is_what_remains():
    assert window_of(spec_of(trials=150), planned=140) == list(range(140, 150))
    assert window_of(spec_of(trials=150), planned=150) == []


def test_trials_that_share_little_are_planned_further_ahead_but_not_without_end():
    widths = Choice(choices=tuple(range(1, 41)))
    few = spec_of(trials=10_000, space=space_of({"learning_rate": LEARNING_RATE}))
    many = spec_of(trials=10_000, space=space_of({"learning_rate": LEARNING_RATE, "hidden_units": widths}))

    assert len(window_of(many, max_lanes=32)) > 4 * len(window_of(few, max_lanes=32))
    assert len(window_of(many, max_lanes=4096)) <= MOST_IN_WINDOW

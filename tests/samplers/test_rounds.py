"""Rounds are a function of the study file: sizes, places, epochs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.errors import SpecError
from hpo.samplers.rounds import RoundOptions, Rounds, round_options, rounds_of
from hpo.testing.small_jobs import spec_of


@st.composite
def any_rounds(draw):
    options = RoundOptions(rounds=draw(st.integers(2, 6)), growth=draw(st.floats(1, 5)))
    trials = draw(st.integers(8 * options.rounds, 500))
    return Rounds(trials=trials, epochs=draw(st.integers(1, 200)), options=options)


@given(any_rounds(), st.integers(0, 2000))
def test_every_place_is_in_the_round_that_says_so(rounds, place):
    round_ = rounds.at(place)

    assert round_.start <= place < round_.end
    assert rounds.at_index(round_.index) == round_


@given(any_rounds())
def test_rounds_follow_one_another_and_share_the_trials_out(rounds):
    n_rounds = rounds.options.rounds
    found = [rounds.at_index(index) for index in range(n_rounds)]

    assert found[0].start == 0
    assert all(a.end == b.start for a, b in pairwise(found))
    assert found[-1].end == rounds.trials
    assert max(r.size for r in found) - min(r.size for r in found) < n_rounds


@given(any_rounds())
def test_epochs_grow_to_the_studys(rounds):
    epochs = [rounds.at_index(index).epochs for index in range(rounds.options.rounds)]

    assert epochs == sorted(epochs)
    assert (epochs[0] >= 1, epochs[-1]) == (True, rounds.epochs)


def test_epochs_double_from_round_to_round_unless_told_otherwise():
    def epochs_of(options):
        rounds = Rounds(trials=90, epochs=90, options=options)
        return [rounds.at_index(index).epochs for index in range(3)]

    assert epochs_of(RoundOptions()) == [23, 45, 90]
    assert epochs_of(RoundOptions(growth=3)) == [10, 30, 90]
    assert epochs_of(RoundOptions(growth=1)) == [90, 90, 90]


def test_a_study_of_more_trials_than_its_file_says_goes_on_in_further_rounds_at_full_length():
    rounds = Rounds(trials=100, epochs=50)

    assert [(rounds.at(p).index, rounds.at(p).epochs) for p in (99, 100, 133, 134)] == [
        (2, 50), (3, 50), (3, 50), (4, 50),
    ]  # fmt: skip


def test_the_best_share_of_a_round_spans_the_next_box_but_never_a_lucky_few():
    assert Rounds(trials=300).n_best(0) == 15
    assert Rounds(trials=24).n_best(0) == 5


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"round": 3}, "sampler.options.round", "did you mean 'rounds'"),
        ({"rounds": 1}, "sampler.options.rounds", "between 2 and 20"),
        ({"rounds": 2.0}, "sampler.options.rounds", "whole number"),
        ({"rounds": True}, "sampler.options.rounds", "whole number"),
        ({"keep": 0.9}, "sampler.options.keep", "between 0.01 and 0.5"),
        ({"keep": "half"}, "sampler.options.keep", "must be a number"),
        ({"growth": 0.5}, "sampler.options.growth", "between 1 and 100"),
        ({"size": 3}, "sampler.options.size", "there are rounds, keep, growth"),
    ],
)
def test_an_option_that_cannot_be_is_named(options, field, words):
    with pytest.raises(SpecError, match=words) as caught:
        round_options(options)

    assert caught.value.field == field


def test_too_few_trials_for_the_rounds_are_refused_with_both_cures():
    with pytest.raises(SpecError, match=r"20 are too few for 3 rounds.*give 24 or more.*rounds: 2") as caught:
        rounds_of(spec_of(trials=20))

    assert caught.value.field == "trials"


def test_too_few_trials_for_any_rounds_are_for_random_search():
    with pytest.raises(SpecError, match="sampler: random"):
        rounds_of(spec_of(trials=9))

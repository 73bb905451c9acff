"""Samplers from the command line: a real search with one that learns, and another that begins with its trials."""

from __future__ import annotations

import json

from hpo.cli.searching import SAMPLERS
from hpo.samplers.registry import SAMPLERS as THERE_ARE

SMALL = ("--epochs", "2", "--workers", "1")


def test_the_help_names_every_sampler_there_is():
    assert set(SAMPLERS.strip(".").replace(" or ", ", ").split(", ")) == set(THERE_ARE)


def test_a_search_learns_and_the_next_one_begins_with_what_it_found(hpo):
    first = hpo("run", "--data", "iris", "--sampler", "tpe", "--trials", "10", *SMALL, "--name", "one")
    second = hpo(
        *("run", "--data", "iris", "--sampler", "nsga2", "--trials", "6", *SMALL, "--name", "two"),
        *("--set", "warm_start=[one]", "--set", "sampler.options={crossover_prob: 1.0}"),
    )

    assert (first[0], second[0]) == (0, 0), (first[2], second[2])
    for name, n in (("one", 10), ("two", 6)):
        trials = json.loads(hpo("trials", name, "-f", "json")[1])
        assert sorted(trial["number"] for trial in trials) == list(range(n))
    spec = json.loads(hpo("show", "two", "-f", "json")[1])["spec"]
    assert (spec["sampler"]["batch"], spec["warm_start"]) == (4, ["one"])


def test_a_study_to_begin_from_that_is_not_there_is_exit_2(hpo):
    code, _, err = hpo(
        "run", "--data", "iris", "--sampler", "tpe", "--trials", "4", *SMALL, "--set", "warm_start=[noe]"
    )

    assert code == 2
    assert "warm_start[0]: no study is called 'noe'" in err

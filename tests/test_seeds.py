"""Seeds: pure functions of the words that name their stream, pinned so that results never move."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from hpo.seeds import lane_seed, parameter_seed, seed_of, split_seed

WORDS = st.lists(st.integers(0, 10**6) | st.text("abcxyz_", min_size=1), min_size=1, max_size=5)


def test_a_seed_is_the_first_eight_bytes_of_the_sha256_of_its_words():
    words = "0\x1f3\x1flearning_rate"

    assert seed_of(0, 3, "learning_rate") == int(hashlib.sha256(words.encode()).hexdigest()[:16], 16)


def test_seeds_are_the_ones_of_the_first_version():
    assert parameter_seed(0, 0, "learning_rate") == 1837028470
    assert lane_seed(0, 0, "weights", 1) == 2914162007161687961
    assert split_seed(0) == 2058989578


@given(WORDS, WORDS)
def test_different_words_give_different_seeds(one, other):
    same = [str(word) for word in one] == [str(word) for word in other]

    assert (seed_of(*one) == seed_of(*other)) == same


@given(st.integers(0, 2**63 - 1), st.integers(0, 10**7), st.text())
def test_seeds_fit_the_generators_they_go_to(seed, number, name):
    assert 0 <= parameter_seed(seed, number, name) < 2**32
    assert 0 <= lane_seed(seed, 0, name, number) < 2**63
    assert 0 <= split_seed(seed) < 2**32


def test_purposes_layers_epochs_and_repeats_have_streams_of_their_own():
    seeds = {
        lane_seed(0, repeat, purpose, layer, epoch)
        for repeat in range(3)
        for purpose in ("weights", "order", "dropout")
        for layer in range(3)
        for epoch in range(3)
    }

    assert len(seeds) == 81

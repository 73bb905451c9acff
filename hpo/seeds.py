"""Streams of random numbers: every seed is a hash of the words that name its stream."""

from __future__ import annotations

import hashlib

Word = str | int


def seed_of(*words: Word) -> int:
    """The 64-bit seed of a stream: the first 8 bytes of SHA-256 of its words.

    Words are joined with a separator that no name contains, so ("a", 12) and ("a1", 2) differ.

    >>> seed_of(0, 3, "learning_rate") == seed_of(0, 3, "learning_rate")
    True
    >>> seed_of("a", 12) == seed_of("a1", 2)
    False
    """
    text = "\x1f".join(str(word) for word in words)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def parameter_seed(sampler_seed: int, number: int, name: str) -> int:
    """The seed of one parameter's value in one trial; 32 bits, since numpy's RandomState takes no more."""
    return seed_of(sampler_seed, number, name) % 2**32


def ask_seed(sampler_seed: int, number: int) -> int:
    """The seed with which a sampler that learns is asked for a trial; 32 bits."""
    return seed_of(sampler_seed, number, "ask") % 2**32


def lane_seed(seed: int, repeat: int, purpose: str, layer: int = 0, epoch: int = 0) -> int:
    """The seed of a stream used in training: purpose is weights, order or dropout.

    It knows neither the trial's number nor the cohort, so all trials of a repeat share it. 63 bits,
    since torch's generators take signed seeds.
    """
    return seed_of(seed, repeat, purpose, layer, epoch) >> 1


def split_seed(seed: int) -> int:
    """The seed of splits and folds; 32 bits."""
    return seed_of(seed, "split") % 2**32


def uniform(*words: Word) -> float:
    """A number from 0 up to but not including 1, from the stream of these words.

    >>> uniform("a", 1) == uniform("a", 1), 0.0 <= uniform("a", 2) < 1.0
    (True, True)
    """
    return (seed_of(*words) >> 11) / 2**53  # as many bits as a float holds

"""YAML and JSON as plain types: what is read, and where the rest is refused."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hpo.errors import SpecError
from hpo.service.plain_text import MAX_BYTES, read_plain
from hpo.service.yaml_writer import write_yaml

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=10)
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)
MAPPINGS = st.dictionaries(TEXT, PLAIN, max_size=5)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("1E5", 1e5), (".5", 0.5), ("-1.", -1.0), ("+3", 3), ("007", 7), ("0x1F", 31), ("0o17", 15),
        ("true", True), ("False", False), ("yes", "yes"), ("no", "no"), ("on", "on"), ("null", None), ("~", None),
        ("2026-01-01", "2026-01-01"), ("12:30:45", "12:30:45"), ("1_000", "1_000"), ("0b11", "0b11"), ("'1'", "1"),
        ('"\\u00e9"', "é"), ("|\n  a\n  b\n", "a\nb\n"), ("1e", "1e"), ("=", "="), ("<<", "<<"),
    ],
)  # fmt: skip
def test_words_mean_what_yaml_1_2_says(text, value):
    read = read_plain(f"a: {text}")["a"]

    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    "text", ["a: .inf", "a: -.INF", "a: .nan", "a: 1e400", '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e400}']
)
def test_numbers_must_be_finite(text):
    with pytest.raises(SpecError, match="finite"):
        read_plain(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: &x 1", "line 1, column 4: anchors"),
        ("b: 2\na: *x", "line 2, column 4: aliases"),
        ("a: !!int 1", "line 1, column 4: tags"),
        ("a: !custom {b: 1}", "line 1, column 4: tags"),
        ("a: 1\na: 2", "line 2, column 1: the key 'a' stands twice"),
        ("x: {b: 1, b: 2}", "line 1, column 11: the key 'b' stands twice"),
        ("1: x", "line 1, column 1: keys must be text"),
        ("? [a]\n: x", "line 1, column 3: keys must be text"),
        ("a: 1\n---\nb: 2", "line 2, column 1: one document"),
        ("a: [1", "line 1, column 6"),
        ("a: b: c", "line 1, column 5"),
        ("a:\n\tb: 1", "line 2, column 1"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ('{"a": {"b": 1, "b": 2}}', "'b' stands twice"),
    ],
)
def test_what_json_cannot_say_is_refused_with_line_and_column(text, sentence):
    with pytest.raises(SpecError) as caught:
        read_plain(text)

    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[" * 21 + "]" * 21, '{"a":' * 21 + "1" + "}" * 21, "{a: " * 21 + "1" + "}" * 21]
)
def test_twenty_levels_are_enough(text):
    with pytest.raises(SpecError, match="deeper than 20"):
        read_plain(text)


def test_deep_brackets_are_refused_without_being_read():
    for text in ("[" * 500_000, "{a: " * 200_000, '{"a":' * 180_000):
        with pytest.raises(SpecError, match="deeper"):
            read_plain(text)


def test_a_file_has_at_most_a_megabyte():
    with pytest.raises(SpecError, match="at most"):
        read_plain("#" + "é" * (MAX_BYTES // 2))

    assert read_plain("#" * MAX_BYTES) is None


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert read_plain(b"\xef\xbb\xbfa: 1") == read_plain("\ufeffa: 1") == {"a": 1}


def test_bytes_that_are_no_utf8_are_named():
    with pytest.raises(SpecError, match="byte 4"):
        read_plain(b"a: \xff")


def test_halves_of_characters_and_nul_are_refused():
    for text in ('{"a": "\\ud800"}', '{"\\ud800": 1}', '{"a": "\\u0000"}', 'a: "\\0"'):
        with pytest.raises(SpecError, match="character"):
            read_plain(text)


@given(PLAIN)
def test_json_is_read_as_json(tree):
    assert read_plain(json.dumps(tree)) == tree


@given(MAPPINGS)
def test_what_is_written_as_yaml_reads_back_the_same(tree):
    assert read_plain(write_yaml(tree)) == tree


@given(MAPPINGS)
def test_what_is_written_is_yaml_for_others_too(tree):
    assert YAML(typ="safe", pure=True).load(write_yaml(tree)) == tree


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("data:\n\tsource: digits", "line 2, column 1: a tab; indent with spaces"),
        ("data: digits\n  trials: 3", "line 2, column 9: a colon is out of place"),
        ("data:digits\ntrials: 3", "with a space after the colon"),
        ("data: {source: digits\n", "close it"),
        ("name: %x", "put it in quotes"),
    ],
)
def test_a_slip_in_the_yaml_is_told_with_its_line_and_a_cure(text, sentence):
    with pytest.raises(SpecError, match=re.escape(sentence)):
        read_plain(text)

"""Errors: code, sentence, place, and survival of a trip to another process."""

from __future__ import annotations

import pickle

import pytest

from hpo import errors
from hpo.errors import HpoError, SpecError, StudyNotFound, UnknownName, lookup, suggest

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HpoError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_says_its_docstring_when_given_nothing_else(kind):
    said = str(kind())

    assert f"{said}." == kind.__doc__[0].lower() + kind.__doc__[1:].split("\n\n")[0]
    assert kind.code
    assert kind.exit_code in (1, 2, 3, 4, 5)
    assert 400 <= kind.status < 600


def test_codes_are_unique():
    codes = [kind.code for kind in KINDS]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_pickling_with_its_field(kind):
    error = pickle.loads(pickle.dumps(kind("must be > 0", field="low")))

    assert (type(error), error.detail, error.field, str(error)) == (
        kind,
        "must be > 0",
        "low",
        "low: must be > 0",
    )


def test_spec_errors_are_value_errors_so_that_pydantic_keeps_their_place():
    assert issubclass(SpecError, ValueError)
    assert not issubclass(StudyNotFound, ValueError)


def test_a_near_name_is_suggested_and_a_far_one_is_not():
    assert suggest("learning_rat", ["learning_rate", "l2"]) == "; did you mean 'learning_rate'?"
    assert suggest("zzz", ["learning_rate", "l2"]) == ""


def test_lookup_names_all_there_are_when_none_is_near():
    with pytest.raises(UnknownName, match="no thing is called 'zzz'; there are a, b"):
        lookup({"b": 1, "a": 2}, "zzz", "thing")

"""Questions for trials in a user's words: what they mean, and what is wrong with those that mean nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.errors import SpecError
from hpo.service.where import check_sort, parse_where
from hpo.space import Choice, Fixed, Range, SearchSpace
from hpo.storage.base import Condition

SPACE = SearchSpace(
    {
        "lr": Range(low=1e-4, high=1e-1, log=True, type="float"),
        "units": Range(low=1, high=99, type="int"),
        "optimizer": Choice(choices=("sgd", "adam", "a b")),
        "width": Choice(choices=(32, "64-32", True, None)),
        "depth": Choice(choices=(1, 2, 3)),
        "seed": Fixed(value=1),
    }
)


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("value>=0.9", [("value", ">=", 0.9)]),
        ("  number == 3  AND epochs!=7 ", [("number", "=", 3), ("epochs", "!=", 7)]),
        ("params.lr < 1e-3", [("params.lr", "<", 1e-3)]),
        ("params.units >= 3", [("params.units", ">=", 3)]),
        ("params.optimizer = 'a b'", [("params.optimizer", "=", "a b")]),
        ('params.optimizer in [adam, "sgd"]', [("params.optimizer", "in", ("adam", "sgd"))]),
        ("params.width in (32, 64-32, true, null)", [("params.width", "in", (32, "64-32", True, None))]),
        ("params.depth > 1", [("params.depth", ">", 1)]),
        (
            "finished_at < 2026-01-02T03:04:05Z and value<1",
            [("finished_at", "<", "2026-01-02T03:04:05Z"), ("value", "<", 1)],
        ),
    ],
)
def test_conditions_mean_what_they_say(text, conditions):
    found = parse_where(text, SPACE)

    assert list(found) == [Condition(name=n, op=o, value=v) for n, o, v in conditions]
    assert [type(c.value) for c in found] == [type(v) for _, _, v in conditions]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "says nothing; write it as in"),
        ("value", "ends where one of = != < <= > >= in should stand"),
        ("value >", "ends where a value should stand"),
        ("value > 1 or value < 0", "joined by `and`, got 'or' at character 11"),
        ("value > 1 and", "ends where a name should stand"),
        ("value ~ 1", "must be followed by one of = != < <= > >= in, got '~'"),
        ("valeu > 1", "there is no 'valeu' at character 1; did you mean 'value'?"),
        ("lr > 1", "did you mean 'params.lr'?"),
        ("params.rl > 1", "did you mean 'params.lr'?"),
        ("params.seed = 1", "params.seed is the same in every trial"),
        ("value > adam", "value is a number, got 'adam' at character 9"),
        ("value > '1'", "value is a number, got \"'1'\""),
        ("value > nan", "value is a number, got 'nan'"),
        ("value > .inf", "value is a number, got '.inf'"),
        ("value > 1e999", "value is a number, got '1e999'"),
        ("number > 1.5", "number is a whole number"),
        ("epochs < 99999999999", "epochs is a whole number up to 2,147,483,647"),
        ("params.optimizer > adam", "params.optimizer is no number: it is compared by =, != or in, got '>'"),
        ("params.optimizer = adan", "params.optimizer is never 'adan' at character 20; did you mean 'adam'?"),
        ("params.optimizer in adam", "( and a list of values should stand at character 21"),
        ("params.optimizer in (adam", "ends where a comma or ) should stand"),
        ("params.optimizer in ()", "a value should stand at character 22, got ')'"),
        ("params.optimizer in (adam]", "a comma or ) should stand at character 26, got ']'"),
        ("finished_at > yesterday", "must be a time such as 2026-01-02T03:04:05Z, got 'yesterday'"),
        ('value > "', "cannot be read from"),
        (" and ".join(["value > 1"] * 21), "has at most 20 conditions"),
        (f"number in ({','.join(map(str, range(101)))})", "a list has at most 100 values"),
        ("x" * 4_001, "has at most 4,000 characters"),
    ],
)
def test_what_means_nothing_is_told_with_its_place_and_a_cure(text, sentence):
    with pytest.raises(SpecError) as raised:
        parse_where(text, SPACE)

    assert raised.value.field == "where"
    assert sentence in raised.value.detail


@given(st.text(alphabet="value params.lr optimizer and in ()[],=<>!'\"0123456789.-e\x00\ud800é", max_size=60))
def test_any_text_is_conditions_or_one_sentence(text):
    try:
        found = parse_where(text, SPACE)
    except SpecError:
        return
    assert found


def test_an_order_is_a_name_with_or_without_a_minus():
    assert check_sort("-params.lr", SPACE) == "-params.lr"
    with pytest.raises(SpecError, match="did you mean 'value'") as raised:
        check_sort("-valeu", SPACE)
    assert raised.value.field == "sort"

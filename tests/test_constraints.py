"""Constraints: read as arithmetic, judged as Python would, refused with a sentence."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.constraints import NAMES, NUMBERS, Constraint, constraints_of, metrics_read
from hpo.errors import SpecError, UnknownName
from hpo.hyperparams import HYPERPARAMETERS
from hpo.study import COSTS, METRICS

LEAVES = st.sampled_from(["l1", "l2", "dropout", "n_parameters", "2.0", "0.5", "1e-3"])
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda left, op, right, sign: f"({sign}{left} {op} {right})",
        inner,
        st.sampled_from(["+", "-", "*", "/", "**"]),
        inner,
        st.sampled_from(["", "-"]),
    ),
    max_leaves=6,
)
SIZES = st.floats(-10, 10)


@given(
    left=EXPRESSIONS,
    right=EXPRESSIONS,
    compare=st.sampled_from(["<=", "<", ">=", ">", "==", "!="]),
    values=st.fixed_dictionaries(dict.fromkeys(["l1", "l2", "dropout", "n_parameters"], SIZES)),
)
def test_a_constraint_holds_when_python_says_so(left, right, compare, values):
    try:
        constraint = Constraint(left, f"{compare} {right}")
    except SpecError:
        assert not any(name in left + right for name in values)
        return

    names = {"__builtins__": {}, **values}
    sides = []
    for text in (left, right):
        try:
            sides.append(eval(text, names))
        except (ZeroDivisionError, OverflowError):
            sides.append(math.nan)
    numbers = [math.nan if isinstance(side, complex) else float(side) for side in sides]

    expected = not any(map(math.isnan, numbers)) and eval(
        f"a {compare} b", dict(zip("ab", numbers, strict=True))
    )
    assert constraint.holds(values) is bool(expected)


def test_a_comma_asks_for_all_of_several_bounds():
    constraint = Constraint("hidden_units * hidden_layers", ">= 16, <= 512")

    assert [constraint.holds({"hidden_units": units, "hidden_layers": 2}) for units in (7, 8, 256, 257)] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("expression", ["l1 / l2", "-1 * (l1 - 2) ** 0.5", "1e300 ** (l1 + 9)", "log_loss"])
@pytest.mark.parametrize("compare", ["<= 1", "> 1", "!= 1"])
def test_an_expression_without_a_value_meets_nothing(expression, compare):
    assert not Constraint(expression, compare).holds({"l1": 1.0, "l2": 0.0, "log_loss": math.nan})


def test_it_is_judged_at_the_end_when_it_reads_a_result():
    assert Constraint("accuracy", "> 0.5").of_result
    assert Constraint("epochs", "<= 10 * l2").of_result
    assert Constraint("l2", "< train_seconds").of_result
    assert not Constraint("n_parameters", "<= 10 * hidden_units").of_result


def test_every_hyperparameter_that_is_a_number_may_be_named_and_no_other():
    for name, h in HYPERPARAMETERS.items():
        if h.kind == "choice":
            with pytest.raises(SpecError, match=f"list those you want under parameters.{name}"):
                Constraint(name, "<= 1")
        else:
            assert Constraint(name, "<= 1").names == {name}
    assert set(NAMES) >= {*NUMBERS, *METRICS, *COSTS}


WRONG = [
    ({"n_parametrs": "<= 1"}, "did you mean 'n_parameters'"),
    ({"speed": "<= 1"}, "there are n_parameters, the numeric hyperparameters"),
    ({"n_parameters": "200000"}, "must begin with <=, >=, ==, !=, <, >, got '200000'; write a bound like"),
    ({"n_parameters": ""}, "is compared with nothing"),
    ({"n_parameters": "<= 5, 7"}, "must begin with"),
    ({"n_parameters": "<="}, "is no arithmetic"),
    ({"n_parameters": "< 1 <= 2"}, "a comparison inside an expression"),
    ({"n_parameters < 9": "< 1"}, "a comparison inside an expression"),
    ({"l1 and l2": "< 1"}, "a comparison inside an expression"),
    ({"activation": "== 1"}, "is a name, not a number"),
    ({"optimizer == 'adam'": "> 0"}, "a comparison inside an expression"),
    ({"l1": "<= 'x'"}, "is no number"),
    ({"l1": "<= True"}, "is no number"),
    ({"l1": "<= 1j"}, "is no number"),
    ({"5": "<= 6"}, "is the same for every trial"),
    ({"l1 // 2": "< 1"}, "only numbers, names"),
    ({"max(l1, l2)": "< 1"}, "only numbers, names"),
    ({"().__class__": "< 1"}, "only numbers, names"),
    ({"__import__('os').getpid()": "> 0"}, "only numbers, names"),
    ({"[l1 for _ in l2]": "> 0"}, "only numbers, names"),
    ({"(l1 := 5)": "> 0"}, "only numbers, names"),
    ({"l1 +": "> 0"}, "'l1 +' is no arithmetic"),
    ({"+".join(["l1"] * 100): "> 0"}, "is longer than 200 letters"),
    ({"l1\0": "> 0"}, "is no arithmetic"),
]


@pytest.mark.parametrize(("written", "sentence"), WRONG)
def test_what_is_no_constraint_gets_one_sentence_with_its_place(written, sentence):
    with pytest.raises(SpecError) as caught:
        constraints_of({"l2": "<= 1", **written})

    assert caught.value.field == f"constraints.{next(iter(written))}"
    assert sentence in caught.value.detail
    assert "\n" not in caught.value.detail


def test_an_unknown_name_is_an_unknown_name():
    with pytest.raises(UnknownName):
        constraints_of({"acuracy": "> 0.5"})


def test_the_metrics_a_curve_must_hold():
    constraints = constraints_of({"train_f1 - f1": "<= 0.1", "auc": ">= 0.9", "validation_loss": "< 1"})

    assert metrics_read(constraints) == ("f1", "auc")

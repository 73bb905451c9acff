"""The page for those who come from other tools: their searches and ours are the same, and ours are valid."""

import ast
from contextlib import suppress

import pytest
from ruamel.yaml import YAML

from hpo.cli.main import main
from hpo.service import specfile
from hpo.space import Choice, Fixed, Range
from tests.docs.pages import blocks_of, text_of

PAGE = "docs/howto/from-another-tool.md"
BLOCKS = blocks_of(PAGE)
OURS = [block.text for block in BLOCKS if block.text.startswith("# study.yaml, ours")]
THEIRS = [block.text for block in BLOCKS if "theirs" in block.text.splitlines()[0]]
TOOLS = ("wandb", "katib", "ray-tune", "keras-tuner")


def of_wandb(text):
    """Parameters of a sweep as (low, high, log, whole), a list of choices, or one value."""
    tree = YAML(typ="safe").load(text)
    found = {}
    for name, parameter in tree["parameters"].items():
        kind = parameter.get("distribution")
        found[name] = parameter.get("values") or parameter.get("value")
        if kind is not None:
            found[name] = (parameter["min"], parameter["max"], kind.startswith("log"), kind == "int_uniform")
    return found, tree["run_cap"]


def of_katib(text):
    """The same of an Experiment."""
    spec, found = YAML(typ="safe").load(text)["spec"], {}
    for parameter in spec["parameters"]:
        space, whole = parameter["feasibleSpace"], parameter["parameterType"] == "int"
        found[parameter["name"]] = space.get("list")
        if "min" in space:
            ends = float(space["min"]), float(space["max"])
            found[parameter["name"]] = (*ends, space.get("distribution") == "logUniform", whole)
    return found, spec["maxTrialCount"]


def calls(text, module):
    """Calls of a module's functions in a program that need not run: (function, literal arguments, keywords)."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and getattr(getattr(node.func, "value", None), "id", "") == module:
            values, keywords = [], {}
            with suppress(ValueError):
                values = [ast.literal_eval(value) for value in node.args]
            for keyword in node.keywords:
                with suppress(ValueError):
                    keywords[keyword.arg] = ast.literal_eval(keyword.value)
            yield node, node.func.attr, values, keywords


def of_ray_tune(text):
    """The same of a Tuner's param_space."""
    made = {node: (name, values) for node, name, values, _ in calls(text, "tune")}
    (space,) = [keyword.value for node in made for keyword in node.keywords if keyword.arg == "param_space"]
    (config,) = [keywords for _, name, _, keywords in calls(text, "tune") if name == "TuneConfig"]
    found = {}
    for key, value in zip(space.keys, space.values, strict=True):
        if value not in made:
            found[key.value] = value.value
            continue
        name, values = made[value]
        whole = "randint" in name
        found[key.value] = (
            values[0] if name == "choice" else (values[0], values[1] - whole, name.startswith("log"), whole)
        )
    return found, config["num_samples"]


def of_keras_tuner(text):
    """The same of a build function."""
    found = {"activation": "relu"}
    for _, kind, (name, *values), keywords in calls(text, "hp"):
        found[name] = (
            values[0] if kind == "Choice" else (*values, keywords.get("sampling") == "log", kind == "Int")
        )
    (tuner,) = [keywords for _, name, _, keywords in calls(text, "keras_tuner") if name == "RandomSearch"]
    return found, tuner["max_trials"]


READERS = dict(zip(TOOLS, (of_wandb, of_katib, of_ray_tune, of_keras_tuner), strict=True))


def as_theirs(parameter):
    """A parameter of ours in the same form."""
    if isinstance(parameter, Range):
        return (parameter.low, parameter.high, parameter.log, parameter.type == "int")
    if isinstance(parameter, Choice):
        return list(parameter.choices)
    assert isinstance(parameter, Fixed)
    return parameter.value


@pytest.mark.parametrize(("tool", "theirs", "ours"), list(zip(TOOLS, THEIRS, OURS, strict=True)), ids=TOOLS)
def test_their_search_and_ours_are_the_same(tool, theirs, ours):
    spec = specfile.parse(ours)

    found, n_trials = READERS[tool](theirs)

    assert {name: as_theirs(parameter) for name, parameter in spec.parameters.parameters.items()} == found
    assert (spec.name, spec.trials) == (f"from-{tool}", n_trials)
    assert (spec.objective.metric, spec.objective.direction) == ("accuracy", "maximize")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("ours", OURS, ids=TOOLS)
def test_our_file_is_valid(ours, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HPO_HOME", str(tmp_path))
    for name in ("HPO_STORAGE", "HPO_SERVER", "HPO_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "study.yaml").write_text(ours)

    code = main(["validate", str(tmp_path / "study.yaml")])

    said = capsys.readouterr()
    assert (code, "note" in said.err) == (0, False), said.err
    assert "# would run" in said.out


def test_a_range_that_differs_would_be_seen():
    changed = THEIRS[0].replace("max: 0.5", "max: 0.6")

    assert of_wandb(changed) != of_wandb(THEIRS[0])
    assert "without the upper end" in text_of(PAGE)

"""What keeps a study from running too long: rules of ending early, and a huge grid that may be a mistake."""

import json

import pytest

from hpo.dataset import DatasetInfo, Task
from hpo.errors import SpecError
from hpo.service.specfile import complete, from_json, parse, to_json, to_yaml

INFO = DatasetInfo(
    source="made-up",
    sha256="0" * 64,
    task=Task.CLASSIFICATION,
    task_reason="made up",
    target="y",
    n_rows=30,
    n_features=4,
    classes=("a", "b"),
)


def completed(text, space="{dropout: [0.0, 0.5]}"):
    return complete(parse(f"data: digits\nparameters: {space}\n{text}"), INFO)


@pytest.mark.parametrize(
    ("points", "cure"), [(317, "--yes for all of them"), (4000, "a study has at most 10,000,000 trials")]
)
def test_a_huge_grid_is_taken_for_a_mistake_unless_trials_says_how_many(points, cure):
    axis = f"{{low: 0.0, high: 0.5, num: {points}}}"
    space = f"{{dropout: {axis}, input_dropout: {axis}}}"

    with pytest.raises(SpecError) as caught:
        completed("sampler: grid", space=space)

    assert caught.value.field == "trials"
    assert f"the grid has {points**2:,} points" in caught.value.detail
    assert "write trials: 1000 for the first 1000" in caught.value.detail
    assert cure in caught.value.detail
    assert completed("sampler: grid\ntrials: 1000", space=space).trials == 1000


@pytest.mark.parametrize(
    "text",
    [
        "stop: {value: -0.5, plateau: {trials: 100}}\nlimits: {wall_time: 1h30m, parallel: 512, max_failed: 0}",
        "stop: {plateau: {trials: 1}}\nlimits: {wall_time: 90.5}",
    ],
)
def test_rules_of_ending_early_are_kept_as_written(text):
    spec = completed(text)

    assert spec.stop is not None
    assert from_json(json.loads(json.dumps(to_json(spec)))) == spec
    assert parse(to_yaml(spec)) == spec

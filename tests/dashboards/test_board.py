"""The Grafana board: the fields that Grafana's schema asks for, and a layout that fits its grid."""

import json
import re
from itertools import combinations

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from hpo.coordinator.service import ServiceOptions
from hpo.storage.rules import SEEN_S
from tests.dashboards.files import ALERTS, BOARD, GRAFANA, ON_BOARD, PANELS, read_yaml

COLUMNS = 24
KINDS = {"row", "stat", "timeseries"}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def cells(panel):
    at = panel["gridPos"]
    return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}


def lost(written, read, place="board"):
    """What stands in one tree and not, or otherwise, in another, by place; what the other has besides is welcome."""
    if isinstance(written, dict) and isinstance(read, dict):
        return [
            found
            for key, value in written.items()
            for found in lost(value, read.get(key, "nothing"), f"{place}.{key}")
        ]
    if isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        pairs = enumerate(zip(written, read, strict=True))
        return [found for i, (one, other) in pairs for found in lost(one, other, f"{place}[{i}]")]
    return [] if written == read else [(place, written, read)]


def test_grafanas_own_models_know_every_field_of_the_board():
    register_default_plugins()  # the kinds of panels and of queries that Grafana comes with

    read = json.loads(json.dumps(Dashboard.from_json(BOARD), cls=JSONEncoder))

    assert lost(BOARD, read) == []


def test_the_board_has_what_grafana_asks_of_one():
    assert 8 <= len(BOARD["uid"]) <= 40  # what Grafana's schema says of a uid
    assert BOARD["title"] == "hpo"
    assert "id" not in BOARD  # a number of one Grafana, which the next has given to another board
    assert "__inputs" not in BOARD  # filled in by an import by hand alone, not when files are provisioned
    assert BOARD["schemaVersion"] >= 36
    assert set(BOARD["time"]) == {"from", "to"}
    assert {panel["type"] for panel in BOARD["panels"]} == KINDS


def test_every_panel_has_an_id_of_its_own_and_a_title():
    ids = [panel["id"] for panel in BOARD["panels"]]

    assert all(isinstance(number, int) and number > 0 for number in ids)
    assert len(set(ids)) == len(ids)
    assert all(panel["title"] for panel in BOARD["panels"])


def test_panels_stand_within_the_grid_and_not_on_one_another():
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        assert min(at["x"], at["y"]) >= 0
        assert min(at["w"], at["h"]) > 0
        assert at["x"] + at["w"] <= COLUMNS

    overlaps = [
        (one["title"], other["title"])
        for one, other in combinations(BOARD["panels"], 2)
        if cells(one) & cells(other)
    ]
    assert overlaps == []


def test_rows_and_panels_leave_no_hole():
    filled = set().union(*map(cells, BOARD["panels"]))

    assert filled == {(x, y) for x in range(COLUMNS) for y in range(max(y for _, y in filled) + 1)}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_the_chosen_prometheus_and_says_what_it_shows(panel):
    assert panel["datasource"] == SOURCE
    assert panel["description"].endswith(".")
    assert set(panel["fieldConfig"]) == {"defaults", "overrides"}
    assert panel["fieldConfig"]["defaults"]["unit"]
    letters = [target["refId"] for target in panel["targets"]]
    assert letters
    assert len(set(letters)) == len(letters)
    for steps in [panel["fieldConfig"]["defaults"].get("thresholds", {"steps": [{"value": None}]})["steps"]]:
        values = [step["value"] for step in steps]
        assert values[0] is None  # Grafana's minus infinity
        assert values[1:] == sorted(values[1:])


def test_every_variable_that_is_used_is_one_that_the_board_has():
    variables = {variable["name"]: variable for variable in BOARD["templating"]["list"]}

    assert {name: variable["type"] for name, variable in variables.items()} == {
        "datasource": "datasource",
        "job": "query",
    }
    assert variables["datasource"]["query"] == "prometheus"
    assert variables["job"]["datasource"] == SOURCE
    assert variables["job"]["query"]["query"] == "label_values(hpo_build_info, job)"
    for expression, _ in ON_BOARD.values():
        assert "$" not in expression.replace("$__rate_interval", "").replace("$job", "")


def test_no_two_expressions_stand_at_one_place():
    assert len(ON_BOARD) == sum(len(panel["targets"]) for panel in PANELS)


def test_the_numbers_that_are_told_are_those_of_the_program():
    told = [panel["description"] for panel in PANELS]
    told += [text for rule in ALERTS.values() for text in rule["annotations"].values()]

    assert set(re.findall(r"(\d+) s\b", " ".join(told))) == {f"{SEEN_S:.0f}"}
    assert set(re.findall(r"(\d+) studies", " ".join(told))) == {str(ServiceOptions().most_studies)}


def test_the_files_that_provision_grafana_name_a_prometheus_and_a_folder():
    [source] = read_yaml(GRAFANA / "datasource.yaml")["datasources"]
    [provider] = read_yaml(GRAFANA / "provider.yaml")["providers"]

    assert (source["type"], source["access"]) == ("prometheus", "proxy")
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards/hpo"

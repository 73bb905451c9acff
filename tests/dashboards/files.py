"""The files for Prometheus and Grafana, read as these read them, and every expression in them by where it stands."""

import json

from ruamel.yaml import YAML

from hpo.service.dashboard_files import folder

PROMETHEUS, GRAFANA = folder() / "prometheus", folder() / "grafana"


def read_yaml(path):
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


BOARD = json.loads((GRAFANA / "board.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
RULES = [rule for group in read_yaml(PROMETHEUS / "rules.yaml")["groups"] for rule in group["rules"]]
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}

# What Grafana puts in the place of its variables.
FILLED = {"$__rate_interval": "1m", "$job": "hpo", "${datasource}": "prometheus"}


def filled(expression):
    for variable, value in FILLED.items():
        expression = expression.replace(variable, value)
    return expression


# Where it stands -> (expression, legend)
ON_BOARD = {
    f"{panel['title']} {target['refId']}": (target["expr"], target["legendFormat"])
    for panel in PANELS
    for target in panel["targets"]
}
EXPRESSIONS = {
    **{place: filled(expression) for place, (expression, _) in ON_BOARD.items()},
    **RECORDED,
    **{name: rule["expr"] for name, rule in ALERTS.items()},
}

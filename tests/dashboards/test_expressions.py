"""Every expression of the board and of the rules, held against what servers really export."""

import re
from collections import defaultdict

import pytest

from tests.dashboards.files import ALERTS, EXPRESSIONS, ON_BOARD, RECORDED, filled
from tests.dashboards.pages import Series
from tests.dashboards.promql import Wrong, labels_of, parse, selectors

SCRAPED = {"job": {"hpo"}, "instance": {"127.0.0.1:8000"}}  # what Prometheus adds to all that it scrapes


@pytest.fixture(scope="session")
def known(exported):
    """Every series that an expression may name: exported, of Prometheus's own, or recorded."""
    series = {name: Series(one.kind, {**one.labels, **SCRAPED}) for name, one in exported.items()}
    series["up"] = Series("gauge", SCRAPED)
    values = defaultdict(set)
    for one in series.values():
        for label, found in one.labels.items():
            values[label] |= found
    for name, expression in RECORDED.items():
        labels = labels_of(parse(expression), series)
        series[name] = Series("gauge", {label: values[label] for label in labels})
    return series


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_an_expression_asks_for_what_is_exported_and_in_a_way_that_means_something(place, known):
    assert labels_of(parse(EXPRESSIONS[place]), known) is not None


@pytest.mark.parametrize("place", ON_BOARD)
def test_a_legend_tells_the_lines_of_a_panel_apart(place, known):
    expression, legend = ON_BOARD[place]

    labels = labels_of(parse(filled(expression)), known)

    assert set(re.findall(r"{{(\w+)}}", legend)) == labels - {"job"}


@pytest.mark.parametrize("place", ON_BOARD)
def test_a_panel_shows_the_chosen_service_alone(place):
    for selector, _ in selectors(parse(ON_BOARD[place][0].replace("$__rate_interval", "1m"))):
        chosen = [(matcher.name, matcher.value) for matcher in selector.matchers.matchers]
        assert ("job", "$job") in chosen, selector.name


@pytest.mark.parametrize("place", [*RECORDED, *ALERTS])
def test_a_rule_keeps_services_apart(place, known):
    assert "job" in labels_of(parse(EXPRESSIONS[place]), known)


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_what_every_process_tells_alike_is_never_added_up(place, of_database, known):
    for selector, taken in selectors(parse(EXPRESSIONS[place])):
        if selector.name in of_database:
            assert taken == "max", selector.name


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_what_a_process_counts_is_added_up_or_shown_by_process(place, known):
    tree = parse(EXPRESSIONS[place])
    for selector, taken in selectors(tree):
        if known[selector.name].kind != "gauge":
            assert taken == "sum" or "instance" in labels_of(tree, known), selector.name


def test_the_words_of_an_alert_name_labels_that_it_has(known):
    for name, rule in ALERTS.items():
        labels = labels_of(parse(rule["expr"]), known)
        words = " ".join(rule["annotations"].values())
        assert set(re.findall(r"\$labels\.(\w+)", words)) <= labels, name


def test_every_metric_of_hpo_is_on_the_board(whole):
    named = {
        re.sub("_(bucket|count|sum)$", "", selector.name)
        for expression, _ in ON_BOARD.values()
        for selector, _ in selectors(parse(filled(expression)))
    }

    assert {name for name in whole.families if name.startswith("hpo_")} <= named


WRONG = {
    "max(hpo_trial)": "nobody exports hpo_trial",
    'max(hpo_trials{states="FAIL"})': "hpo_trials has no label states",
    'max(hpo_trials{state="FAILED"})': "state of hpo_trials is never FAILED",
    "rate(hpo_trials[5m])": "rate says nothing of hpo_trials, which is a gauge",
    "deriv(hpo_http_requests_total[5m])": "deriv says nothing of hpo_http_requests_total, which is a counter",
    "sum(hpo_http_requests_total)": "hpo_http_requests_total only ever grows",
    "max by (study) (hpo_trials)": "by study, which the series do not have",
    "histogram_quantile(0.9, sum(rate(hpo_database_seconds_bucket[5m])))": "a quantile is one of buckets, by le",
    "histogram_quantile(0.9, sum by (le) (rate(hpo_database_seconds_sum[5m])))": "by le, which the series do not",
    "max by (job) (hpo_slots_busy) / hpo_slots": "nothing of ['job'] meets anything of ['instance', 'job']",
    "max(hpo_slots": "unclosed left parenthesis",
}


@pytest.mark.parametrize("expression", WRONG)
def test_a_wrong_expression_would_be_found(expression, known):
    with pytest.raises(Wrong, match=re.escape(WRONG[expression])):
        labels_of(parse(expression), known)

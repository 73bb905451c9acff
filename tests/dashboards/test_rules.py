"""The rules, judged by Prometheus's own promtool on series that are made up: what fires an alert, and what does not."""

import json
import shutil
import subprocess

import pytest

from tests.dashboards.files import ALERTS, PROMETHEUS, RECORDED, RULES

MINUTES = 90  # so long the series below last; looked at is their end
A, B = 'job="hpo",instance="a"', 'job="hpo",instance="b"'
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed; Debian has it in the package prometheus",
)


def always(value):
    return f"{value}x{MINUTES}"


def growing(by):
    """By so much a minute."""
    return f"0+{by}x{MINUTES}"


def waits(name, labels, *, quick, slow):
    """A histogram: how many a minute take less than a bound that is near what is wanted, and how many more."""
    bounds = {
        "quick": "0.25" if "database" in name else "1.0",
        "slow": "0.5" if "database" in name else "2.5",
    }
    return {
        f'{name}_bucket{{{A},{labels},le="{bounds["quick"]}"}}': growing(quick),
        f'{name}_bucket{{{A},{labels},le="{bounds["slow"]}"}}': growing(quick + slow),
        f'{name}_bucket{{{A},{labels},le="+Inf"}}': growing(quick + slow),
    }


def trials(**a_minute):
    """Trials that two API processes both tell of."""
    return {
        f'hpo_trials{{{process},state="{state}"}}': growing(n)
        for state, n in a_minute.items()
        for process in (A, B)
    }


def requests(**a_minute):
    """Answers with these statuses; the second process has answered all the bad ones."""
    return {
        f'hpo_http_requests_total{{{A if status == "s200" else B},status="{status[1:]}"}}': growing(n)
        for status, n in a_minute.items()
    }


# Alert -> (what fires it, what does not: several)
CASES = {
    "HpoDown": (
        {f"up{{{A}}}": always(0), f"up{{{B}}}": always(0)},
        [{f"up{{{A}}}": always(0), f"up{{{B}}}": always(1)}],
    ),
    "HpoProcessDown": (
        {f"up{{{A}}}": always(0), f"up{{{B}}}": always(1)},
        [{f"up{{{A}}}": always(1)}, {'up{job="other"}': always(0)}],
    ),
    "HpoDatabaseAway": (
        {f"hpo_database_up{{{A}}}": always(0), f"hpo_database_up{{{B}}}": always(0)},
        [{f"hpo_database_up{{{A}}}": always(0), f"hpo_database_up{{{B}}}": always(1)}],
    ),
    "HpoNoCoordinator": (
        {f"hpo_coordinators{{{A}}}": always(0)},
        [{f"hpo_coordinators{{{A}}}": always(1)}, {f"hpo_database_up{{{A}}}": always(0)}],
    ),
    "HpoStudyWaits": (
        {f"hpo_queue_age_seconds{{{A}}}": growing(60)},
        [{f"hpo_queue_age_seconds{{{A}}}": growing(30)}],
    ),
    "HpoNoSteps": (
        {f"hpo_lanes_training{{{A}}}": always(8), f"hpo_model_steps_per_second{{{A}}}": always(0)},
        [
            {f"hpo_lanes_training{{{A}}}": always(8), f"hpo_model_steps_per_second{{{A}}}": always(1)},
            {f"hpo_lanes_training{{{A}}}": always(0), f"hpo_model_steps_per_second{{{A}}}": always(0)},
        ],
    ),
    "HpoTrialsFail": (
        trials(COMPLETE=2, PRUNED=2, FAIL=6),
        [trials(COMPLETE=3, PRUNED=3, FAIL=4), trials(COMPLETE=0.1, FAIL=0.4), trials(COMPLETE=6)],
    ),
    "HpoServerErrors": (
        requests(s200=90, s500=5, s503=5),
        [requests(s200=96, s500=2, s503=2), requests(s200=0, s500=0), requests(s200=50, s429=50)],
    ),
    "HpoSlow": (
        waits("hpo_http_request_seconds", 'method="GET"', quick=90, slow=10),
        [
            waits("hpo_http_request_seconds", 'method="GET"', quick=96, slow=4),
            waits("hpo_http_request_seconds", 'method="POST"', quick=0, slow=10),
        ],
    ),
    "HpoDatabaseSlow": (
        waits("hpo_database_seconds", 'call="trials"', quick=90, slow=10),
        [waits("hpo_database_seconds", 'call="trials"', quick=96, slow=4)],
    ),
    "HpoFilesRunOut": (
        {f"process_open_fds{{{A}}}": always(900), f"process_max_fds{{{A}}}": always(1024)},
        [{f"process_open_fds{{{A}}}": always(700), f"process_max_fds{{{A}}}": always(1024)}],
    ),
}

# A recorded series at the end of what two processes tell.
SAID = {
    "trials of two processes are counted once": (
        trials(COMPLETE=60),
        'job_state:hpo_trials_finished:deriv5m{state="COMPLETE"}',
        1.0,
    ),
    "a study that is deleted is no work undone": (
        {f'hpo_trials{{{A},state="COMPLETE"}}': f"1000x{MINUTES - 2} 10x2"},
        "job_state:hpo_trials_finished:deriv5m",
        0.0,
    ),
    "requests of two processes are added up": (
        {f'hpo_http_requests_total{{{process},status="200"}}': growing(60) for process in (A, B)},
        "job_status:hpo_http_requests:rate5m",
        2.0,
    ),
    "slots of two processes are counted once": (
        {f"hpo_slots{{{process}}}": always(4) for process in (A, B)}
        | {f"hpo_slots_busy{{{process}}}": always(3) for process in (A, B)},
        "job:hpo_slots_busy:ratio",
        0.75,
    ),
}


def judged(tmp_path, series, query, samples):
    """What promtool says when a query must give these values at the end of the series; nothing when it does."""
    (tmp_path / "rules.yaml").write_bytes((PROMETHEUS / "rules.yaml").read_bytes())
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": f"{MINUTES}m",
                "exp_samples": [{"labels": "{}", "value": value} for value in samples],
            }
        ],
    }
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [case]}
    (tmp_path / "tests.yaml").write_text(json.dumps(tests))  # JSON is YAML
    done = subprocess.run(
        ["promtool", "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True
    )
    return done.stdout + done.stderr if done.returncode else ""


def test_every_alert_has_series_that_fire_it_and_series_that_do_not():
    assert set(CASES) == set(ALERTS)
    assert all(silent for _, silent in CASES.values())
    assert {name for _, query, _ in SAID.values() for name in RECORDED if query.startswith(name)} == {
        name for name in RECORDED if ":p95" not in name
    }


@needs_promtool
@pytest.mark.parametrize("alert", CASES)
def test_an_alert_fires_when_it_should(alert, tmp_path):
    query = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'

    assert judged(tmp_path, CASES[alert][0], query, [1]) == ""


@needs_promtool
@pytest.mark.parametrize(
    ("alert", "i"), [(name, i) for name, (_, sets) in CASES.items() for i in range(len(sets))]
)
def test_an_alert_is_silent_when_nothing_is_wrong(alert, i, tmp_path):
    query = f'count(ALERTS{{alertname="{alert}"}})'

    assert judged(tmp_path, CASES[alert][1][i], query, []) == ""


@needs_promtool
@pytest.mark.parametrize("sentence", SAID)
def test_what_is_recorded_holds_for_several_processes(sentence, tmp_path):
    series, query, value = SAID[sentence]

    assert judged(tmp_path, series, f"sum({query})", [value]) == ""


@needs_promtool
def test_nobody_scraped_is_down_too(tmp_path):
    query = 'count(ALERTS{alertname="HpoDown",alertstate="firing"})'

    assert judged(tmp_path, {'up{job="other"}': always(1)}, query, [1]) == ""


def test_an_alert_says_what_is_wrong_and_what_to_do():
    for name, rule in ALERTS.items():
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert set(rule["annotations"]) == {"summary", "description"}, name
        assert all(text.endswith((".", "?")) for text in rule["annotations"].values()), name
        assert rule["for"], name
    assert len(RULES) == len(RECORDED) + len(ALERTS)

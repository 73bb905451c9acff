"""The how-to on serving: its unit of systemd and its file for Prometheus say what the program understands."""

import configparser
import io
import shlex

from ruamel.yaml import YAML

from hpo.api.routes.health import router
from hpo.server.supervisor import GRACE_S
from tests.docs.pages import Block, Shell, blocks_of

PAGE = "docs/howto/serve.md"
UNIT, SCRAPE = (block.text for block in blocks_of(PAGE))


def test_the_unit_starts_a_command_that_there_is_and_waits_longer_than_it_takes_to_end(tmp_path):
    unit = configparser.ConfigParser()
    unit.read_string(UNIT)
    service = unit["Service"]
    program, *words = shlex.split(service["ExecStart"])

    said = Shell(tmp_path).run(Block("bash", f"hpo {shlex.join([*words, '--help'])}"))

    assert service["Type"] == "notify"
    assert program.endswith("/bin/hpo")
    assert said.startswith("Usage: hpo serve")
    assert int(service["TimeoutStopSec"]) > GRACE_S


def test_prometheus_is_told_of_a_key_and_scrapes_where_the_metrics_are():
    (job,) = YAML(typ="safe", pure=True).load(io.StringIO(SCRAPE))["scrape_configs"]

    assert set(job) == {
        "job_name",
        "authorization",
        "static_configs",
    }  # so metrics_path is Prometheus's default
    assert "/metrics" in {route.path for route in router.routes}

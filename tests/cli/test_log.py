"""Log lines in the level and form that HPO_LOG asks for."""

import json
import logging

import pytest

from hpo.cli.log import set_up_log
from hpo.errors import SpecError


@pytest.fixture(autouse=True)
def restore():
    log = logging.getLogger("hpo")
    before = log.handlers[:], log.propagate, log.level
    yield
    log.handlers[:], log.propagate = before[:2]
    log.setLevel(before[2])


def test_a_level_lets_through_what_is_at_least_so_grave(capsys):
    set_up_log("info")

    logging.getLogger("hpo.workers").info("cohort %d: %d lanes", 3, 32)
    logging.getLogger("hpo.workers").debug("not this")

    assert capsys.readouterr().err == "INFO hpo.workers: cohort 3: 32 lanes\n"


def test_json_is_one_object_a_line(capsys):
    set_up_log("json,info")

    logging.getLogger("hpo.workers").info("two\nlines")

    [line] = capsys.readouterr().err.splitlines()
    record = json.loads(line)
    assert (record["level"], record["logger"], record["message"]) == ("info", "hpo.workers", "two\nlines")
    assert record["time"].endswith("Z")


def test_setting_up_twice_does_not_double_the_lines(capsys):
    set_up_log("info")
    set_up_log("info")

    logging.getLogger("hpo").info("once")

    assert capsys.readouterr().err.count("once") == 1


def test_an_unknown_level_is_named():
    with pytest.raises(SpecError, match="did you mean 'debug'"):
        set_up_log("debgu")


@pytest.mark.parametrize("words", ["debug", "debug,json"])
def test_no_secret_of_a_key_or_session_is_written(words, capsys):
    set_up_log(words)
    secrets = [f"hpo_{'aB3_-' * 8}xyz", f"hps_{'aB3_-' * 8}xyz"]

    try:
        raise ValueError(secrets[0])
    except ValueError:
        logging.getLogger("hpo.api").exception("GET /?key=%s&a=%s", *secrets)

    written = capsys.readouterr().err
    assert "/?key=hpo_…&a=hps_…" in written
    assert not any(secret[4:] in written for secret in secrets)

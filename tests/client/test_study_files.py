"""Data files travel once: a file that the server has by its SHA-256 is named, not sent."""

import hashlib
import json

import pytest

from hpo.client.remote import Remote
from hpo.client.study_files import asked_of
from hpo.errors import DataError, ServerError

STUDY = dict.fromkeys(
    ("name", "state", "wanted", "driver", "served", "n_trials", "states", "metric", "value", "seconds")
)


TABLE = b"a,y\n" + b"".join(b"%d,%d.5\n" % (row, row * row % 37) for row in range(40))


@pytest.fixture
def asked(tmp_path):
    (tmp_path / "small.csv").write_bytes(TABLE)
    study = {"name": "wine", "data": {"source": "small.csv", "target": "y"}, "parameters": {"l2": 0.1}}
    (tmp_path / "study.json").write_text(json.dumps(study))
    return asked_of(tmp_path / "study.json", {})


@pytest.fixture
def key():
    return "ds_" + hashlib.sha256(TABLE).hexdigest()[:16]


def answered(scripted):
    return [(method, path.partition("?")[0].removeprefix("/api/v1/")) for method, path, *_ in scripted.asked]


def test_a_file_that_the_server_has_is_not_sent_again(scripted, asked, key):
    scripted.will(body=json.dumps({"items": [{"id": key}], "next_cursor": None}).encode())
    scripted.will(201, json.dumps(STUDY).encode())

    Remote(scripted.url).submit(asked)

    assert answered(scripted) == [("GET", "datasets"), ("POST", "studies")]
    assert json.loads(scripted.asked[1][3])["data"]["source"] == key


def test_a_file_that_it_has_not_is_sent_first(scripted, asked, key):
    scripted.will(body=b'{"items": [], "next_cursor": null}')
    scripted.will(201, json.dumps({"id": key, "name": "small.csv"}).encode())
    scripted.will(201, json.dumps(STUDY).encode())

    Remote(scripted.url).submit(asked)

    assert answered(scripted) == [("GET", "datasets"), ("POST", "datasets"), ("POST", "studies")]
    assert scripted.asked[1][3] == TABLE


def test_to_validate_nothing_is_sent(scripted, asked):
    scripted.will(body=b'{"items": [], "next_cursor": null}')

    with pytest.raises(DataError, match=r"data.source: 'small.csv' is a file that the server has not got"):
        Remote(scripted.url).validate(asked)

    assert answered(scripted) == [("GET", "datasets")]


def test_a_server_of_another_version_is_one_sentence(scripted):
    scripted.will(body=b'{"name": "wine"}')

    with pytest.raises(ServerError, match=r"answered without state, .*another version of hpo"):
        Remote(scripted.url).study("wine")

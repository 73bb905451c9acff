"""A verb gives a program the same bytes with a server and without one."""

import csv
import io
import re
from contextlib import closing

import pytest

from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.states import StudyState
from hpo.storage.open import open_storage
from hpo.testing.serving import serving

# What differs from one moment to the next.
MOVING = re.compile(r'("(?:lease_left_s|[a-z]+_at|seconds)": )[^,\n}]+')
MOVING_COLUMNS = ("seconds", "lease_left_s", "created_at", "started_at", "finished_at")
SECONDS = re.compile(r"\d+(\.\d+)? s\b")
TIMES = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")

LOOKING = [
    ["ls"],
    ["ls", "--state", "completed", "--limit", "1"],
    ["ls", "--workers"],
    ["show", "digits"],
    ["show", "busy"],
    ["show", "digits", "--trial", "1"],
    ["watch", "digits"],
    ["trials", "digits"],
    ["trials", "digits", "--sort", "-value", "--limit", "2"],
    ["trials", "digits", "--state", "fail"],
    ["trials", "digits", "--where", "value >= 0.6"],
    ["best", "digits"],
    ["best", "digits", "--top", "2"],
    ["diagnose", "digits"],
    ["diagnose", "failed"],
    ["diagnose", "digits", "--trial", "1"],
    ["diagnose", "digits", "--next"],
    ["data", "ls"],
    ["data", "show", "iris"],
    ["spaces"],
    ["spaces", "mlp-default"],
    # and what goes wrong
    ["show", "nobody"],
    ["show", "a/b"],
    ["show", "digits", "--trial", "99"],
    ["diagnose", "nobody"],
    ["diagnose", "digits", "--trial", "99"],
    ["best", "failed"],
    ["best", "busy", "--top", "0"],
    ["trials", "nobody"],
    ["trials", "digits", "--sort", "best"],
    ["trials", "digits", "--state", "broken"],
    ["trials", "digits", "--where", "value >"],
    ["ls", "--state", "broken"],
    ["pause", "digits"],
    ["enqueue", "digits", "learning_rate=7"],
    ["retry", "digits", "--trial", "1"],
    ["fork", "digits", "--set", "trials=0"],
    ["fork", "digits", "--name", "digits"],
    ["submit", "--data", "iris", "--name", "digits"],
    ["submit", "--data", "nowhere.csv"],
    ["validate", "--data", "iris", "--epochs", "0"],
    ["spaces", "mlp-defalt"],
    ["data", "rm", "iris", "--yes"],
    ["rm", "busy", "--yes"],
    ["rm", "nobody", "--yes"],
]


def test_where_there_are_no_studies_submit_makes_the_first_one(hpo, home):
    home.mkdir()
    url = f"sqlite:///{home / 'hpo.db'}"
    settings = read_settings({"HPO_HOME": str(home), "HPO_STORAGE": url})
    with closing(open_storage(url)) as storage, serving(Site(settings=settings, storage=storage)) as address:
        there = hpo("ls", "--server", address)[2]

    assert there == f"no studies yet; `hpo submit --data digits --server {address}` makes one\n"
    assert hpo("ls")[2] == "no studies yet; `hpo run --data digits` makes one\n"


@pytest.fixture
def served(home, study):
    """The address of a server over the database that the program uses, with three studies in it."""
    study(test=(1, {"accuracy": 0.8}))
    study("failed", values=[None, None], state=StudyState.FAILED)
    study("busy", values=[0.5], state=StudyState.RUNNING)
    url = f"sqlite:///{home / 'hpo.db'}"
    settings = read_settings({"HPO_HOME": str(home), "HPO_STORAGE": url})
    with closing(open_storage(url)) as storage, serving(Site(settings=settings, storage=storage)) as address:
        yield address


def still(text, kind="json"):
    """Text without times, and without what to open next, which is another place."""
    if kind == "csv" and "," in text.split("\n")[0]:
        rows = csv.DictReader(io.StringIO(text))
        return [{name: cell for name, cell in row.items() if name not in MOVING_COLUMNS} for row in rows]
    text = re.sub(r"  (optuna-dashboard )?\S+://\S+\n", "", text)
    return SECONDS.sub("TIME", TIMES.sub("TIME", MOVING.sub(r"\1TIME", text)))


def test_every_answer_and_every_error_is_the_same(hpo, served):
    for words in LOOKING:
        for kind in ("json", "csv", "table"):
            here = hpo(*words, "-f", kind)
            there = hpo(*words, "-f", kind, "--server", served)

            assert there[0] == here[0], words
            assert [still(text.replace(f" --server {served}", ""), kind) for text in there[1:]] == [
                still(text, kind) for text in here[1:]
            ], words


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_exports_are_the_same_files(hpo, served, tmp_path, kind):
    hpo("export", "digits", "-o", f"here.{kind}")
    hpo("export", "digits", "-o", f"there.{kind}", "--server", served)

    assert (tmp_path / f"here.{kind}").read_bytes() == (tmp_path / f"there.{kind}").read_bytes()


MOVES = [
    ["pause", "one"],
    ["resume", "one"],
    ["enqueue", "one", "learning_rate=1e-3"],
    ["fork", "one", "--name", "next", "--set", "seed=5"],
    ["cancel", "next"],
    ["rm", "next", "--yes"],
]


def test_what_verbs_do_is_answered_alike(hpo, served):
    """A study of the local database and one of a server: the same moves give the same records, `served` apart."""
    answers = []
    for where in ([], ["--server", served]):
        hpo("submit", "--data", "iris", "--trials", "4", "--name", "one", *where)
        told = []
        for words in MOVES:
            if words[0] == "resume" and not where:
                # In a terminal it would train; a coordinator of the database goes on when told so by a server.
                words = [*words, "--server", served]
            told.append(
                still("\n".join(map(str, hpo(*words, "-f", "json", *([] if "--server" in words else where)))))
            )
        answers.append(told)
        hpo("rm", "one", "--yes")

    assert answers[0] == answers[1]

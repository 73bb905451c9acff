"""What a shell suggests: the real program, asked as bash, zsh and fish ask it."""

import os
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import hpo as package
from hpo.api.site import Site
from hpo.service import space_files
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.serving import serving

ROOT = str(Path(package.__file__).parents[1])


def program(*words, **environ):
    return subprocess.run(
        [sys.executable, "-m", "hpo", *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": ROOT} | environ,
    )


def suggested(line, **environ):
    """What bash is told for the last word of a line."""
    words = line.split(" ")
    asked = {"_HPO_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = program(**asked, **environ)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("verb", ["show", "watch", "best", "trials", "pause", "model", "export", "rm"])
def test_studies_are_suggested_the_newest_first(study, verb):
    for name in ("digits-1", "digits-2", "wine"):
        study(name)

    assert suggested(f"hpo {verb} dig") == ["digits-2", "digits-1"]


def test_words_of_the_line_are_suggested():
    assert suggested("hpo wat") == ["watch"]
    assert suggested("hpo run --sp") == ["--space"]
    assert "--install-completion" in program("--help").stdout


def test_search_spaces_and_data_sets_are_suggested(hpo, home):
    Path("rows.csv").write_text("a,b\n" + "1,0\n2,1\n" * 20)
    hpo("data", "add", "rows.csv", "--name", "wine-red")

    assert suggested("hpo run --space ") == space_files.names()
    assert suggested("hpo run --data wine") == ["wine", "wine-red"]
    assert suggested("hpo data rm w") == ["wine-red"]


def test_those_of_a_server_are_suggested_where_one_is_named(study, made, home):
    study("digits")
    url = made()
    settings = read_settings({"HPO_HOME": str(home), "HPO_STORAGE": url})
    with closing(open_storage(url)) as storage, serving(Site(settings=settings, storage=storage)) as address:
        elsewhere = {"HPO_HOME": str(home / "empty")}

        assert suggested("hpo show d", **elsewhere) == []
        asked = [suggested("hpo show d", HPO_SERVER=f"{address}/api/v1/", **elsewhere) for _ in range(3)]
        assert ["digits"] in asked  # the first time a server needs longer than one waits


@pytest.mark.parametrize(
    "environ",
    [
        {"HPO_STORAGE": "postgresql+psycopg://nobody@127.0.0.1:9/none"},
        {"HPO_STORAGE": "sqlite:////nowhere/at/all.db"},
        {"HPO_SERVER": "http://127.0.0.1:9"},
        {"HPO_SERVER": "not an address"},
        {"HPO_SERVER": "http://[::1"},
        {"HPO_DEVICE": "toaster"},
        {"HPO_LOG": "loud"},
    ],
)
def test_nothing_is_said_when_nothing_can_be_known(environ):
    assert suggested("hpo show d", **environ) == []


def test_a_file_that_is_no_database_is_left_as_it_is(home):
    home.mkdir()
    (home / "hpo.db").write_text("not a database")

    assert suggested("hpo show d") == []
    assert (home / "hpo.db").read_text() == "not a database"


def test_a_server_that_does_not_answer_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert suggested("hpo show d", HPO_SERVER=f"http://127.0.0.1:{silent.getsockname()[1]}") == []


def test_a_key_does_not_travel_in_clear_to_another_machine(monkeypatch):
    from hpo.cli import completing

    asked = []
    monkeypatch.setattr("socket.create_connection", lambda *words, **_: asked.append(words))
    settings = read_settings({"HPO_API_KEY": "hpo_x"})

    assert completing._of_server("http://192.0.2.1:8000", "studies", settings) == []
    assert asked == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_one_that_the_shell_can_read(shell):
    done = program(_HPO_COMPLETE=f"source_{shell}")

    assert done.returncode == 0
    assert "_HPO_COMPLETE=complete_" + shell in done.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.stdout, text=True, check=True, capture_output=True)

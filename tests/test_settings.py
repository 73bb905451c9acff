"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from hpo.account import Role
from hpo.errors import SpecError
from hpo.settings import read_settings


def test_an_empty_environment_gives_the_home_folder_and_sqlite_in_it():
    settings = read_settings({})

    assert settings.home == Path("~/.hpo").expanduser()
    assert settings.storage == f"sqlite:///{settings.home / 'hpo.db'}"
    assert (settings.device, settings.ray_address, settings.server) == ("auto", None, None)


def test_the_environment_is_read(tmp_path):
    env = {"HPO_HOME": str(tmp_path), "HPO_DEVICE": "cuda:1", "RAY_ADDRESS": "auto", "HPO_LOG": "info"}

    settings = read_settings(env)

    assert settings.storage == f"sqlite:///{tmp_path / 'hpo.db'}"
    assert (settings.device, settings.ray_address, settings.log) == ("cuda:1", "auto", "info")


def test_storage_may_stand_elsewhere(tmp_path):
    assert read_settings({"HPO_HOME": str(tmp_path), "HPO_STORAGE": "memory://"}).storage == "memory://"


@pytest.mark.parametrize("password", ["secret", "p@ss:w/rd?%41#+ ü", " ends with a space "])
def test_the_password_of_the_database_may_stand_in_a_file(tmp_path, password):
    (tmp_path / "password").write_text(f"{password}\n", encoding="utf-8")

    storage = read_settings(
        {
            "HPO_STORAGE": "postgresql+psycopg://me@db:5433/hpo?connect_timeout=3",
            "HPO_STORAGE_PASSWORD_FILE": str(tmp_path / "password"),
        }
    ).storage

    # As the driver is told it, by SQLAlchemy.
    url = make_url(storage)
    assert (url.username, url.password) == ("me", password)
    assert url._replace(password=None) == make_url("postgresql+psycopg://me@db:5433/hpo?connect_timeout=3")


@pytest.mark.parametrize(
    ("url", "content", "sentence"),
    [
        ("postgresql://me@db/hpo", None, "HPO_STORAGE_PASSWORD_FILE: '.*' cannot be read: No such file"),
        ("postgresql://me@db/hpo", b"\n", "HPO_STORAGE_PASSWORD_FILE: '.*' is empty"),
        ("postgresql://me@db/hpo", b"\xff", "HPO_STORAGE_PASSWORD_FILE: '.*' cannot be read: not UTF-8"),
        ("postgresql://me:other@db/hpo", b"secret", "HPO_STORAGE: .* names a user without a password"),
        ("postgresql://db/hpo", b"secret", "HPO_STORAGE: .* names a user without a password"),
        ("sqlite:////srv/a@b/hpo.db", b"secret", "HPO_STORAGE: .* names a user without a password"),
        ("", b"secret", "HPO_STORAGE: .* names a user without a password"),
    ],
)
def test_a_password_that_cannot_be_used_is_refused_at_its_name(tmp_path, url, content, sentence):
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SpecError, match=sentence) as caught:
        read_settings({"HPO_STORAGE": url, "HPO_STORAGE_PASSWORD_FILE": str(file)})

    assert "secret" not in str(caught.value)
    assert "other" not in str(caught.value)


def test_an_unknown_device_is_refused_at_its_name():
    with pytest.raises(SpecError) as caught:
        read_settings({"HPO_DEVICE": "tpu"})

    assert caught.value.field == "HPO_DEVICE"


def test_products_are_exact_unless_the_environment_asks_for_fast_ones():
    assert read_settings({}).precision == "exact"
    assert read_settings({"HPO_PRECISION": "fast"}).precision == "fast"


def test_an_unknown_precision_is_refused_at_its_name():
    with pytest.raises(SpecError) as caught:
        read_settings({"HPO_PRECISION": "quick"})

    assert caught.value.field == "HPO_PRECISION"


@pytest.mark.parametrize(("word", "insecure"), [("", False), ("0", False), ("1", True), ("TRUE", True)])
def test_a_key_may_travel_in_clear_only_where_that_is_said(word, insecure):
    assert read_settings({"HPO_INSECURE": word}).insecure is insecure


def test_a_word_that_is_neither_yes_nor_no_is_refused_at_its_name():
    with pytest.raises(SpecError) as caught:
        read_settings({"HPO_INSECURE": "maybe"})

    assert caught.value.field == "HPO_INSECURE"


@pytest.mark.parametrize(
    "address", ["nowhere", "host:port", "ftp://host:1", "http://host:80/path", "unix:here"]
)
def test_a_strange_address_of_a_dashboard_is_told_at_its_name(address):
    with pytest.raises(SpecError, match="HPO_DASHBOARD: must be host:port or unix:/path"):
        read_settings({"HPO_DASHBOARD": address})


def test_nobody_changes_studies_in_the_dashboard_unless_a_role_is_named():
    assert read_settings({}).dashboard_write is None
    assert read_settings({"HPO_DASHBOARD_WRITE": "submitter"}).dashboard_write is Role.SUBMITTER
    with pytest.raises(SpecError, match="HPO_DASHBOARD_WRITE: must be off, submitter or admin, got 'viewer'"):
        read_settings({"HPO_DASHBOARD_WRITE": "viewer"})

"""The reference page of settings: whole, the newest, and true of what the program reads."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

import hpo
from hpo.errors import SpecError
from hpo.service.settings_page import OTHERS, OURS, SERVERS, page
from hpo.settings import Settings, read_settings

ROOT = Path(hpo.__file__).parents[1]


class Recorded(Mapping):
    """An environment in which nothing is set, and what was looked for in it."""

    def __init__(self):
        self.asked = set()

    def __getitem__(self, name):
        self.asked.add(name)
        raise KeyError(name)

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0


def test_the_page_in_the_repository_is_what_the_tables_give():
    assert (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_setting_that_is_read_has_a_row_and_no_other():
    environ = Recorded()

    read_settings(environ)

    assert environ.asked == {*OURS, *SERVERS, "RAY_ADDRESS"}


@pytest.mark.parametrize("name", {**OURS, **SERVERS})
def test_the_default_is_what_not_setting_it_gives(name):
    default = {**OURS, **SERVERS}[name].default.strip("`")
    field = name.removeprefix("HPO_").lower()
    words = {"none": "", "~/.hpo": "~/.hpo", "sqlite:///$HPO_HOME/hpo.db": ""}

    given = read_settings({name: words.get(default, default)})

    assert given == read_settings({})
    assert field.removesuffix("_password_file") in Settings.__dataclass_fields__  # that is a part of the URL


@pytest.mark.parametrize(
    "name", ["HPO_DEVICE", "HPO_PRECISION", "HPO_AUTH", "HPO_INSECURE", "HPO_DASHBOARD_WRITE"]
)
def test_a_value_that_the_page_does_not_have_is_refused_by_its_name(name):
    row = {**OURS, **SERVERS}[name]
    for value in re.findall(r"`([\w:]+)`", row.values):
        read_settings({name: value.replace(":N", ":1")})

    with pytest.raises(SpecError, match="must be") as refused:
        read_settings({name: "perhaps"})

    assert refused.value.field == name


def test_what_other_programs_call_theirs_is_read_somewhere():
    code = "\n".join(
        file.read_text(encoding="utf-8") for file in (ROOT / "hpo").rglob("*.py") if "page" not in file.name
    )

    assert [name for name in OTHERS if f'"{name}"' not in code] == []


def test_no_setting_of_the_how_to_on_serving_is_missing():
    text = (ROOT / "docs/howto/serve.md").read_text(encoding="utf-8")

    assert set(re.findall(r"\bHPO_[A-Z_]+", text)) <= {*OURS, *SERVERS}

"""The reference page of illnesses: whole, the newest, and true of what the next study changes."""

from pathlib import Path

import pytest

import hpo
from hpo.analysis.diagnosis import study, trial
from hpo.analysis.diagnosis.illnesses import ILLNESSES, OF_STUDIES, OF_TRIALS
from hpo.service.illnesses_page import page

PAGE = Path(hpo.__file__).parent.parent / "docs" / "reference" / "illnesses.md"


def test_the_page_in_the_repository_is_what_the_tables_give():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


@pytest.mark.parametrize("code", ILLNESSES)
def test_every_illness_has_a_section_with_sign_cure_and_next_study(code):
    section = page().split(f"### `{code}`\n")[1].split("\n#")[0]

    assert [line.split("*")[1] for line in section.splitlines() if line.startswith("- ")] == [
        "Sign",
        "Cure",
        "Next study",
    ]


@pytest.mark.parametrize(
    ("code", "numbers"),
    [
        ("overfit", (trial.GAP, trial.RISE, trial.FALL_SINCE)),
        ("rate_too_high", (trial.EXPLODED,)),
        ("bad_first_loss", (trial.BAD_FIRST,)),
    ],
)
def test_a_sign_has_the_numbers_that_the_rule_has(code, numbers):
    assert all(f"{number:g}" in OF_TRIALS[code].threshold for number in numbers)


def test_the_signs_of_a_study_have_the_numbers_of_the_rules():
    assert f"in {study.FEWEST_FOR_IMPORTANCE} trials or more" in OF_STUDIES["does_not_matter"].threshold
    assert f"in {study.CHANCE * 100:g} % of studies" in OF_STUDIES["at_edge"].threshold

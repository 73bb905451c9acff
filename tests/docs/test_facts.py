"""The page of facts: those that are noted of a trial, and no other."""

import re

from hpo.trial import FACTS
from tests.docs.pages import text_of


def test_every_fact_has_a_row():
    table = text_of("docs/reference/facts.md").split("## hpo check")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]

    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(FACTS)

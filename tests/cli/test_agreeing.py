"""A grid so large that it may be a mistake is trained only when somebody says that it is meant."""

import io

import pytest
import typer

from hpo.cli.agreeing import agreed
from hpo.errors import SpecError
from hpo.service import submit

HUGE = "{data: iris, sampler: grid, parameters: {dropout: {low: 0.0, high: 0.5, num: N}}}"


class Terminal(io.StringIO):
    """A person who types this."""

    def isatty(self):
        return True


@pytest.fixture
def draft(tmp_path):
    def drafted(n, **options):
        path = tmp_path / "study.yaml"
        path.write_text(HUGE.replace("N", str(n)))
        return submit.draft_of_file(path, submit.Options(**options))

    return drafted


def test_without_a_terminal_the_error_says_both_cures(draft, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    with pytest.raises(SpecError, match=r"1,000,000 points; write trials: 1000 .*, or say --yes") as caught:
        agreed(draft(1_000_000), yes=False)

    assert caught.value.field == "trials"


def test_yes_makes_every_point_a_trial(draft):
    assert agreed(draft(1_000_000), yes=True).spec.trials == 1_000_000


@pytest.mark.parametrize(("answer", "trials"), [("y\n", 200_000), ("n\n", None)])
def test_on_a_terminal_it_is_asked(draft, monkeypatch, answer, trials):
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    if trials is None:
        with pytest.raises(typer.Abort):
            agreed(draft(200_000), yes=False)
    else:
        assert agreed(draft(200_000), yes=False).spec.trials == trials


def test_nobody_is_asked_about_an_ordinary_grid_or_one_that_says_how_many(draft):
    ordinary, chosen = draft(100_000), draft(1_000_000, trials=7)

    assert agreed(ordinary, yes=False) is ordinary
    assert agreed(chosen, yes=False) is chosen


def test_the_program_says_so_before_anything_begins(hpo, tmp_path):
    (tmp_path / "study.yaml").write_text(HUGE.replace("N", "1000000"))

    for verb in (["run", "--workers", "1"], ["validate"]):
        code, out, err = hpo(*verb, "study.yaml")

        assert (code, out) == (2, "")
        assert err.splitlines()[-1].startswith("error: trials: the grid has 1,000,000 points; write trials")

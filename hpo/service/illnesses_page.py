"""Write the reference page of all illnesses from their tables."""

from __future__ import annotations

from collections.abc import Mapping

from hpo.analysis.diagnosis.illnesses import OF_STUDIES, OF_TRIALS, Illness
from hpo.service.observing import SAMPLE, VALUED

_INTRO = """\
# What may ail a trial or a study

<!-- Written from the tables in hpo/analysis/diagnosis/illnesses.py by `make docs`: change those. -->

`hpo diagnose STUDY [--trial N]`, `GET /studies/{name}/diagnosis?trial=` and `Client.study(name).diagnosis(trial=)` say what
ails a study, or one of its trials, in sentences with their numbers; `hpo diagnose STUDY --next > next.yaml`, or `next` of the
answer, is the study to try after it. *Severe* spoils the result, *mild* costs some of it, a *note* is good to know.

The recipe is the course's: look at the training data first. Bad on training data: activation, initializer, optimizer, rate, size,
never dropout. Good on training and bad on validation data: early stopping, L1, L2, dropout, more data.

*Chance* is the loss of the best constant answer ([`chance_loss`](facts.md)); a loss that has lost half of chance is half of that.
A trial is judged by its curve and its facts, from 4 epochs on; of one that was trained elsewhere, or that ended before, it is
said that it cannot be told, or that it diverged. No finding means that none of these signs was seen, and not that a network is as good as can be.
The thresholds were set between networks that were trained to have each illness and others that were trained to be well, several
seeds of each (tests/analysis/specimens.py).
"""
_STUDIES = f"""\
A study is judged by its best few trials (a tenth of the complete ones, 3 to 20), by a sample of {SAMPLE} of all that ended and, for
importances, by {VALUED:,} complete ones, both evenly from the first number to the last: a diagnosis reads as much of 100,000 trials as
of 1,000, and takes 0.13 s of a core, nearly all for importances, and 1.5 s more once in a process. Of several objectives the best trials are those by the first one, `metric` in the answer, which is never a cost: a Pareto
front holds networks that are cheap and meant to be too small. A parameter is said not to matter only where it does not in any of
the objectives, and no settings are said to be alike by one of them.
"""
_NEXT = """\
## In Optuna's dashboard

A study that has ended or is paused has its description and its diagnosis as its note there, all but parameters that do not matter: the dashboard
draws importances itself. A note that somebody wrote stays.

## The study to try next

It is the study file with what the findings ask for changed, and nothing else. Its name gets `-next`, its sampler the next seed, or it
would propose the same settings; the split stays, so that values can be compared. `enqueue` goes; samplers that learn from finished
trials (tpe, cmaes, gp, nsga2) get the study as `warm_start`. While something severe is found, notes wait: first well, then sure.
"""


def page() -> str:
    """The page in Markdown."""
    parts = [_INTRO, "## Of a trial\n", *_sections(OF_TRIALS), "## Of a study\n", _STUDIES]
    return "\n".join([*parts, *_sections(OF_STUDIES), _NEXT])


def _sections(illnesses: Mapping[str, Illness]) -> list[str]:
    return [_section(code, illness) for code, illness in illnesses.items()]


def _section(code: str, illness: Illness) -> str:
    lines = {"Sign": illness.threshold, "Cure": illness.cure, "Next study": illness.step}
    listed = "".join(f"- *{title}*: {words}.\n" for title, words in lines.items())
    return f"### `{code}`\n\n{illness.severity.value.capitalize()}: {illness.means}.\n\n{listed}"

"""One HTML file of a study to send around: what came out, its figures, its study file, and how to do it again."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from string import Template
from typing import Any, NamedTuple

from hpo import __version__
from hpo.errors import StudyFailed, TrialNotFound
from hpo.figures.script import plotly_js
from hpo.figures.theme import TEMPLATES
from hpo.service import dashboard_files, diagnosing, results, specfile
from hpo.service.figure_source import Source
from hpo.service.figures import READINGS, drawn
from hpo.service.report_html import code, data, in_script, pairs, paragraph, table, text
from hpo.service.top import TIED, sentence, top
from hpo.storage.base import Storage

TOP = 10  # settings that are listed
WIDE = ("parallel", "slice")  # figures that are moved sideways where the window is narrow, not squeezed

# No address is asked for anything and no script runs but the two that stand in the file; plotly.js writes styles.
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


class Report(NamedTuple):
    """The file, and the content security policy that it keeps to."""

    html: str
    policy: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A study as every section sees it. record: what `hpo show -f json` prints"""

    storage: Storage
    source: Source
    record: dict[str, Any]


class Section(NamedTuple):
    """A part of the report: its title, and what makes its HTML; one that is empty is left out."""

    title: str
    body: Callable[[Subject], str]


def report(storage: Storage, name: str) -> Report:
    """The report of a study as it is now. Raises StudyNotFound."""
    study = storage.get_study(name)
    subject = Subject(storage, Source(storage, study), results.record_of(storage, study))
    bodies = {id_: (section.title, section.body(subject)) for id_, section in SECTIONS.items()}
    parts = {id_: (title, body) for id_, (title, body) in bodies.items() if body}
    script, plotly = dashboard_files.text("report.js"), plotly_js()
    policy = POLICY.format(scripts=" ".join(map(_hash_of, (plotly, script))))
    page = Template(dashboard_files.text("report.html")).substitute(
        policy=html.escape(policy, quote=False),
        title=text(f"Study {name}"),
        lead="".join(_lead(subject)),
        contents="".join(f'<a href="#{id_}">{text(title)}</a>' for id_, (title, _) in parts.items()),
        sections="\n".join(
            f'<section id="{id_}"><h2>{text(title)}</h2>\n{body}</section>'
            for id_, (title, body) in parts.items()
        ),
        version=text(__version__),
        style=dashboard_files.text("report.css"),
        templates=in_script({theme: one.to_plotly_json() for theme, one in TEMPLATES.items()}),
        plotly=plotly,
        script=script,
    )
    return Report(page, policy)


def _hash_of(script: str) -> str:
    """How a policy names a script that may run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _lead(subject: Subject) -> Iterator[str]:
    described = subject.source.spec.description
    if described:
        yield f'<p class="lead">{text(described)}</p>'


def _summary(subject: Subject) -> str:
    """What the study is and how far it came."""
    record, study = subject.record, subject.source.study
    goals = [f"{one.direction} {one.metric}" for one in subject.source.objectives]
    test = study.test or {}
    lines = {
        "state": record["state"],
        "reason": record["reason"],
        "objective": " and ".join(goals),
        "trials": f"{record['n_finished']:,} of {record['n_trials']:,} finished",
        "by state": record["states"],
        "searched": ", ".join(subject.source.space) or None,
        "test score": {k: v for k, v in test.items() if k not in ("number", "scored")} or None,
        "test rows seen": f"{test['scored']} times" if test.get("scored", 1) > 1 else None,
        **_data(record["data"]),
        "labels": record["labels"] or None,
        "created": _moment(record["created_at"]),
        "finished": _moment(record["finished_at"]),
        "seconds": record["seconds"],
    }
    told = "".join(paragraph(said) for said in record["notes"].get("sentences", ()))
    return pairs({name: value for name, value in lines.items() if value is not None}) + told


def _moment(written: str | None) -> str | None:
    """A time of the API to the second.

    >>> _moment("2026-11-22T05:25:19.400985Z")
    '2026-11-22 05:25:19 UTC'
    """
    return written and f"{written[:10]} {written[11:19]} UTC"


def _data(known: dict[str, Any]) -> dict[str, Any]:
    """What is known of the data; nothing of a study that is trained elsewhere."""
    rows = {part: known[f"n_{part}"] for part in ("train", "validation", "test") if f"n_{part}" in known}
    lines = {
        "data": known.get("source"),
        "target": known.get("target"),
        "rows": rows,
        "SHA-256": known.get("sha256"),
    }
    return {name: value for name, value in lines.items() if value}


def _best(subject: Subject) -> str:
    """The best settings, and which of them cannot be told apart."""
    try:
        found = top(subject.storage, subject.source.study.name, TOP)
    except (StudyFailed, TrialNotFound) as error:
        return paragraph(error.detail)
    metrics = [one.metric for one in subject.source.objectives]
    rows = [
        {
            "trial": one["number"],
            **dict(zip(metrics, one.get("values") or [one["value"]], strict=True)),
            **({"stderr": one["stderr"]} if one["stderr"] is not None else {}),
            **({"tied with the best": "="} if one[TIED] else {}),
            **one["params"],
        }
        for one in found
    ]
    said = sentence(found, external=subject.source.study.external)
    fixed = found[0]["fixed"]
    return (
        table(rows)
        + (paragraph(said) if said else "")
        + (f"<h3>The same in all trials</h3>{pairs(fixed)}" if fixed else "")
    )


def _diagnosis(subject: Subject) -> str:
    """What ails the study, and the study file to try next."""
    found = diagnosing.diagnosis(subject.storage, subject.source.study.name)
    ails = "".join(map(_finding, found["findings"]))
    next_file = diagnosing.next_file(found, subject.record)
    told = f'<ul class="findings">{ails}</ul>' if ails else paragraph("nothing ails it")
    return f"{told}<h3>The study to try next</h3>{code(next_file)}"


def _finding(one: dict[str, Any]) -> str:
    severity, sentence, cure = (text(one[key]) for key in ("severity", "sentence", "cure"))
    said = f'<strong>{severity}</strong> {sentence}<br><span class="cure">Try: {cure}</span>'
    return f'<li class="is-{severity}">{said}</li>'


def _figures(subject: Subject) -> str:
    """Every figure, those with nothing to see in a list at the end."""
    found = [drawn(subject.source, name) for name in READINGS]
    return "\n".join(_figure(one) for one in found if not one["empty"]) + "".join(
        _titled(one) + paragraph(html.unescape(one["empty"])) for one in found if one["empty"]
    )


def _titled(record: dict[str, Any]) -> str:
    """A figure's title, which is HTML already, for Plotly."""
    return f"<h3>{text(html.unescape(record['title']))}</h3>"


def _figure(record: dict[str, Any]) -> str:
    name, layout = (
        record["figure"],
        {key: value for key, value in record["layout"].items() if key not in ("template", "title")},
    )
    picture = data(f"data-{name}", {"data": record["data"], "layout": layout})
    wide = " is-wide" if name in WIDE else ""
    plot = f'<div class="plot{wide}" role="img" aria-label="{text(record["shows"])}" data-from="data-{name}"></div>'
    caption = f"<figcaption>{text(record['shows'])}</figcaption>"
    return f'<figure>{_titled(record)}<div class="scroll">{plot}</div>{caption}{picture}</figure>'


def _study_file(subject: Subject) -> str:
    """The completed study file."""
    return code(specfile.to_yaml(subject.source.spec))


def _reproduce(subject: Subject) -> str:
    """What to type to have all of it again."""
    name, made_by = subject.source.study.name, subject.source.study.versions.get("hpo", __version__)
    if subject.source.spec.external:
        said = "The trials were trained elsewhere: the file above makes the study again, its programs train them."
        return paragraph(said) + code(f"hpo submit study.yaml  # the file above, hpo {made_by}")
    said = (
        "The result follows from the study file and the data alone, on any number of workers: save the file above as "
        "study.yaml beside the data, whose SHA-256 stands in the summary."
    )
    lines = [f"hpo run study.yaml     # hpo {made_by}", f"hpo best {name}", f"hpo model {name}"]
    return paragraph(said) + code("\n".join(lines))


def _versions(subject: Subject) -> str:
    """What the study was made with."""
    return pairs(subject.source.study.versions) if subject.source.study.versions else ""


# In the order of the page.
SECTIONS: dict[str, Section] = {
    "summary": Section("Summary", _summary),
    "best": Section("Best settings", _best),
    "diagnosis": Section("Diagnosis", _diagnosis),
    "figures": Section("Figures", _figures),
    "file": Section("Study file", _study_file),
    "reproduce": Section("How to reproduce it", _reproduce),
    "versions": Section("Versions", _versions),
}

"""The report of a study: one file that needs nothing else, runs nothing else, and shows names as text."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from hpo.account import ANYBODY
from hpo.errors import StudyNotFound
from hpo.service import external, specfile
from hpo.service.dashboard_files import folder
from hpo.service.diagnosing import diagnosis
from hpo.service.figures import READINGS, figure
from hpo.service.report import SECTIONS, report
from hpo.study import Direction, NewStudy

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>&amp;"
VOID = ("meta", "br", "img")


@dataclass
class Page(HTMLParser):
    """What a browser would find in a file."""

    text: str
    elements: list = field(default_factory=list)  # (name, attributes, own text)

    def __post_init__(self):
        super().__init__(convert_charrefs=True)
        self._open = []
        self.feed(self.text)
        self.close()
        assert self._open == [], "an element was never closed"

    def handle_starttag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag):
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, text):
        if self._open:
            self.elements[self._open[-1]][2] += text

    def all(self, *tags):
        return [(attributes, text) for tag, attributes, text in self.elements if tag in tags]

    @property
    def shown(self):
        """All that a reader sees."""
        return "\n".join(text for tag, _, text in self.elements if tag not in ("script", "style"))

    @property
    def programs(self):
        return [text for attributes, text in self.all("script") if "type" not in attributes]

    @property
    def records(self):
        return {a["id"]: json.loads(text) for a, text in self.all("script") if "type" in a}

    @property
    def policy(self):
        [policy] = [a["content"] for a, _ in self.all("meta") if "http-equiv" in a]
        return dict(part.strip().split(" ", 1) for part in policy.split(";"))


@pytest.fixture
def page(storage):
    """The report of a study, parsed."""
    return lambda name="digits": Page(report(storage, name).html)


def named(script):
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def test_the_only_programs_are_the_two_that_the_policy_names(storage, studies, page):
    studies.ended(values=[0.5, 0.75, None, 0.25])

    found = page()

    assert len(found.programs) == 2
    assert found.policy["script-src"].split() == [named(program) for program in found.programs]
    assert found.policy["default-src"] == "'none'"
    assert report(storage, "digits").policy.count("sha256-") == 2
    assert "unsafe" not in found.policy["script-src"]


def test_it_asks_no_address_for_anything(studies, page):
    studies.ended(values=[0.5, 0.75])

    for tag, attributes, _ in page().elements:
        assert not any(name.startswith("on") or name == "src" for name in attributes), tag
        assert attributes.get("href", "#").startswith("#")


def test_its_figures_are_those_of_the_service(storage, studies, page):
    studies.ended(values=[0.5, 0.75, None, 0.25])

    found = page()

    drawn = {name: figure(storage, "digits", name) for name in READINGS}
    for name, record in drawn.items():
        if record["empty"]:
            assert record["title"] in found.shown
            assert record["empty"] in found.shown
        else:
            assert found.records[f"data-{name}"]["data"] == record["data"]
            assert record["shows"] in found.shown
    plots = [a["data-from"] for a, _ in found.all("div") if "plot" in a.get("class", "").split()]
    assert plots == [f"data-{name}" for name, record in drawn.items() if not record["empty"]]
    assert set(found.records["templates"]) == {"light", "dark"}


def test_its_study_file_is_the_studys(storage, studies, page):
    study = studies.ended(values=[0.5])

    [_next, text, *_] = [text for _, text in page().all("code")]

    assert specfile.to_json(specfile.parse(text)) == study.spec


def test_its_diagnosis_is_that_of_the_study_with_the_file_to_try_next(storage, studies, page):
    studies.ended(values=[None, None, 0.5, None])

    found = page()

    told = diagnosis(storage, "digits")
    assert told["findings"]
    for finding in told["findings"]:
        assert finding["sentence"] in found.shown
        assert finding["cure"] in found.shown
    assert specfile.to_json(specfile.parse(found.all("code")[0][1])) == told["next"]


def test_it_says_what_came_out_and_how_to_have_it_again(studies, page):
    studies.ended(values=[0.5, 0.75, None, 0.25], test=(1, {"accuracy": 0.625}))

    shown = page().shown

    for said in ("COMPLETED", "maximize accuracy", "4 of 4 finished", "COMPLETE 3, FAIL 1", "0.75", "0.625",
                 "ab" * 32, "hpo run study.yaml", "hpo model digits", "momentum", "hidden_units"):  # fmt: skip
        assert said in shown, said


def test_every_section_can_be_reached_from_the_top(studies, page):
    studies.ended(values=[0.5])

    found = page()

    anchors = [a["href"].removeprefix("#") for a, _ in found.all("a")]
    assert anchors == [a["id"] for a, _ in found.all("section")]
    assert set(anchors) <= set(SECTIONS)


@pytest.fixture
def hostile(storage):
    """A study with HTML wherever a user may write."""
    tree = {
        "trainer": "external",
        "description": EVIL,
        "labels": {"course": EVIL[:60]},
        "objective": {"metric": "score", "direction": "maximize"},
        "trials": 4,
        "parameters": {"kind": [EVIL, f"{EVIL}!"], "size": {"low": 0.0, "high": 1.0}},
    }
    spec = specfile.from_json(tree)
    storage.create_study(
        NewStudy(
            name="digits",
            direction=Direction.MAXIMIZE,
            metric="score",
            n_trials=4,
            spec=specfile.to_json(spec),
            data={},
            labels=spec.labels,
            versions={"hpo": EVIL},
        )
    )
    asked = external.ask(storage, ANYBODY, "digits", client="me", count=4)
    for trial in asked["trials"]:
        outcome = external.Outcome(value=trial["params"]["size"])
        external.tell(storage, ANYBODY, "digits", trial["number"], outcome)


def test_names_and_choices_with_html_in_them_are_text(hostile, page):
    found = page()

    assert found.all("img") == []
    assert len(found.programs) == 2
    assert not any("alert(1)" in program for program in found.programs)
    assert found.shown.count(EVIL) >= 4
    pictures = json.dumps(found.records)
    assert "<script" not in pictures
    assert "&lt;script&gt;" in pictures


@pytest.mark.parametrize("values", [[], [None, None], [0.5]])
def test_a_study_in_which_little_happened_has_a_report_too(studies, page, values):
    studies.running(values=values)

    found = page()

    assert found.all("h1") == [({}, "Study digits")]
    if not any(values):
        assert "no finished trial with a value yet" in found.shown


def test_a_study_that_is_not_there_has_none(storage):
    with pytest.raises(StudyNotFound):
        report(storage, "nobody")


def test_it_is_a_file_to_send_around(studies, storage):
    studies.ended(values=[n / 500 for n in range(500)], n_trials=500)

    assert len(report(storage, "digits").html.encode()) < 15_000_000


def test_the_files_that_it_is_made_of_are_there():
    assert {"report.html", "report.css", "report.js"} <= {path.name for path in folder().iterdir()}

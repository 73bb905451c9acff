"""The diagnosis of stored studies, and the next study file, which is a study file."""

import pytest

from hpo.analysis.diagnosis.illnesses import ILLNESSES, found
from hpo.analysis.diagnosis.next_step import next_study
from hpo.analysis.diagnosis.trial import diagnose_trial
from hpo.errors import StudyNotFound, TrialNotFound
from hpo.service import diagnosing, observing, results, space_files, specfile
from hpo.space import Range
from hpo.states import TrialState
from hpo.trial import Trial
from tests.service.conftest import FILE


def test_a_study_of_which_most_failed_says_so_and_its_next_file_can_be_read(studies):
    studies.running(values=(None, None, None, 0.9))

    found = diagnosing.diagnosis(studies.storage, "digits")
    spec = specfile.parse(diagnosing.next_file(found, results.show(studies.storage, "digits")))

    assert (found["study"], found["trial"]) == ("digits", None)
    assert [one["code"] for one in found["findings"]][:1] == ["most_failed"]
    assert found["findings"][0]["sentence"].startswith("3 of 4 trials failed")
    assert spec.name == "digits-next"


def test_of_a_trial_of_which_nothing_was_measured_just_that_is_said(studies):
    studies.running(values=(0.5, 0.9))

    [found] = diagnosing.diagnosis(studies.storage, "digits", 1)["findings"]

    assert (found["code"], found["trials"]) == ("not_seen", [1])


def test_of_a_study_that_has_not_begun_nothing_can_be_told_and_it_has_a_next_file(studies):
    studies.queued()

    found = diagnosing.diagnosis(studies.storage, "digits")

    assert [one["code"] for one in found["findings"]] == ["not_begun"]
    assert specfile.from_json(found["next"]).trials == 4


def test_a_note_begins_with_the_description_and_html_in_it_is_text(studies):
    studies.queued(text=FILE.replace("name: NAME", "name: NAME\ndescription: 'what <b>Ada</b> & I try'"))

    note = diagnosing.note_of(studies.storage, "digits")

    assert note.startswith("what &lt;b&gt;Ada&lt;/b&gt; &amp; I try\n\n**Diagnosis**")
    assert "0 of its trials have ended" in note


def test_who_is_not_there_is_not_found(studies):
    studies.running(values=(0.5,))

    with pytest.raises(StudyNotFound):
        diagnosing.diagnosis(studies.storage, "nobody")
    with pytest.raises(TrialNotFound):
        diagnosing.diagnosis(studies.storage, "digits", 7)


def findings_of(code, space):
    """All that may be found of an illness in a search space."""
    if code == "at_edge":
        ranges = [name for name, one in space.searched.items() if isinstance(one, Range)]
        return [found(code, parameter=name, end=end) for name in ranges for end in ("lowest", "highest")]
    if code == "does_not_matter":
        return [found(code, parameter=name) for name in space.searched]
    return [found(code, illness=code)]


def value_of(parameter):
    if isinstance(parameter, Range):
        return int(parameter.low) if parameter.type == "int" else parameter.low
    return parameter.choices[0]


EXTERNAL = (
    "{trainer: external, objective: {metric: speed, direction: maximize}, parameters: {threads: [1, 2]}}"
)
RATES = "learning_rate: {low: 1e-4, high: 1e-1, log: true}"
# Whatever else a study may be, with what of it binds the next one.
STYLES = {
    "population": f"{{data: digits, trials: 32, epochs: 20, pruner: population, parameters: {{{RATES}}}}}",
    "halving": f"{{data: digits, pruner: {{name: halving, min_epochs: 2}}, parameters: {{{RATES}}}}}",
    "grid": "{data: digits, sampler: grid, parameters: {l2: {low: 0, high: 1, step: 0.1}, hidden_units: [8, 64]}}",
    "coarse": f"{{data: digits, trials: 36, sampler: coarse_to_fine, parameters: {{{RATES}}}}}",
    "tpe": f"{{data: digits, sampler: tpe, repeats: 3, parameters: {{{RATES}}}}}",
    "two objectives": f"{{data: digits, objective: [{{metric: accuracy}}, {{metric: n_parameters}}], parameters: {{{RATES}}}}}",
    "searched epochs": "{data: digits, parameters: {epochs: {low: 5, high: 20, type: int}, patience: [3, 5]}}",
    "widths": "{data: digits, parameters: {hidden_units: [32, '64-32'], dropout: [0, 0.5]}}",
    "maxout": "{data: digits, parameters: {activation: [maxout, relu], maxout_pieces: [2, 8], "
    "hidden_units: {low: 8, high: 4096, log: true, type: int}}}",
    "nothing searched": "{data: digits, trials: 1, parameters: {learning_rate: 0.001}}",
    "enqueued": f"{{data: digits, parameters: {{{RATES}}}, enqueue: [{{learning_rate: 0.001}}], stop: {{value: 0.9}}}}",
}
SPACES = (
    STYLES
    | {name: f"{{data: digits, parameters: {name}}}" for name in space_files.names()}
    | {"external": EXTERNAL}
    | {
        f"external, {rate}": EXTERNAL.replace("threads: [1, 2]", f"learning_rate: {rate}")
        for rate in ("[slow, fast]", "{low: -5, high: -1}", "{low: -1, high: 1}")
    }
)


@pytest.mark.parametrize("text", SPACES.values(), ids=SPACES)
def test_whatever_is_found_in_whatever_space_the_next_study_is_a_study_file(text):
    spec = specfile.parse(text)
    tree = specfile.to_json(spec)
    best = {name: value_of(one) for name, one in spec.parameters.searched.items()}

    for code in ILLNESSES:
        for finding in findings_of(code, spec.parameters):
            new = next_study(tree, [finding], best, name="wine", taken=())

            assert specfile.from_json(new).name == "wine-next", finding


def test_a_trial_that_another_program_trained_is_not_said_to_have_a_learning_rate(studies):
    studies.queued("far", text=EXTERNAL.replace("{", "{name: NAME, trials: 4, ", 1))
    study = studies.storage.get_study("far")
    trial = Trial(number=3, state=TrialState.FAIL, params={"threads": 1}, reason="diverged")

    [observed] = observing.observed_of(studies.storage, study, [trial])
    [finding] = diagnose_trial(observed)

    assert (finding.code, finding.numbers, finding.trials) == ("diverged", {}, (3,))
    assert finding.sentence == ILLNESSES["diverged"].means

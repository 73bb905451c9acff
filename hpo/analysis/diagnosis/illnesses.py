"""The illnesses of a trial and of a study: what each means, from where on it is called so, and what cures it.

The recipe is the course's (docs/explain/course.md): look at the training data first. Bad on training data ->
activation, initializer, optimizer, rate, size, never dropout; good on training and bad on validation data ->
early stopping, L1 and L2, dropout, more data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from string import Formatter
from typing import Any


class Severity(StrEnum):
    """How much an illness costs: SEVERE spoils the result, MILD costs some of it, NOTE is good to know."""

    SEVERE = "severe"
    MILD = "mild"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Illness:
    """What a code stands for.

    severity: of a finding that says no other; means: in one line; threshold: from where on, and why there;
    says: the sentence, filled with a finding's numbers; cure: what to change; step: what `next_step` changes
    """

    severity: Severity
    means: str
    threshold: str
    says: str
    cure: str
    step: str


_S, _M, _N = Severity.SEVERE, Severity.MILD, Severity.NOTE
_BAD = "less than a quarter of the chance loss gone: every network of ours that learned had removed a third of it"
_LOWER = (
    "`learning_rate` from a tenth of its lower end to its middle, half a decade to a decade around the best trial's; a single rate, or a range of which no trial was "
    "complete, becomes a range below it"
)

# Of one trial. "Chance" is the loss of the best constant answer (`trial.FACTS`).
OF_TRIALS: dict[str, Illness] = {
    "diverged": Illness(
        _S,
        "a loss or a weight was no longer a number",
        "the trial's reason says so",
        "training diverged in epoch {epoch} at learning rate {learning_rate:.3g}",
        "lower the learning rate, or cut the gradient off (clip_norm)",
        _LOWER,
    ),
    "rate_too_high": Illness(
        _S,
        "the training loss explodes or jumps instead of falling",
        f"{_BAD}; and an epoch at more than 1.5 times the loss that training began with, or rises in 30 % of epochs "
        "by a tenth of chance or more: sound networks rise by a hundredth",
        "the training loss went up to {highest:.3g} from {initial:.3g} and rose in {rises:.0%} of epochs: learning "
        "rate {learning_rate:.3g} is too high",
        "lower the learning rate tenfold, or use a schedule",
        _LOWER,
    ),
    "rate_too_low": Illness(
        _S,
        "the training loss falls steadily, and so slowly that it gets nowhere",
        f"{_BAD}; it rose in at most 10 % of epochs, and the second half of training brought a quarter of the fall "
        "or more: a network that has learned what it can slows down",
        "the training loss fell only from {begin:.4g} to {end:.4g} in {epochs} epochs (chance is {chance:.3g}) and was "
        "falling still: learning rate {learning_rate:.3g} is too low",
        "raise the learning rate tenfold or more; if it cannot be raised, train for more epochs",
        "`learning_rate` from its middle to ten times its upper end, half a decade to a decade around the best trial's; a "
        "single rate becomes a range above it",
    ),
    "vanishing_gradients": Illness(
        _S,
        "the gradient dies out on its way to the first layer",
        f"{_BAD}; and the first layer's gradient below a thousandth of the last one's: five layers of sigmoid, each "
        "at most a quarter, do that; sound networks of five layers had half or more",
        "the gradient of the first layer is {ratio:.1e} of the last one's through {layers} hidden layers of "
        "{activation}: the first layers do not learn",
        "use relu or its kin with he_normal, batch_norm, or fewer layers",
        "`activation` relu, leaky_relu or elu; `initializer` he_normal",
    ),
    "dead_units": Illness(
        _M,
        "relu units that are 0 on every row and no longer learn",
        "half of them; sound networks had up to 15 %. Severe when training is bad",
        "{share:.0%} of the relu units are 0 on every validation row and learn no more",
        "use leaky_relu or elu, a bias_init of 0.01, or a lower learning rate",
        "`activation` leaky_relu or elu; `bias_init` 0.01",
    ),
    "saturated_units": Illness(
        _M,
        "values of tanh or sigmoid so near their ends that the slope is nearly 0",
        "half of them; sound networks had less than 1 %. Severe when training is bad",
        "{share:.0%} of the values of {activation} are at their ends, where the slope is nearly 0",
        "begin with smaller weights (glorot_uniform), or use relu",
        "`activation` relu or tanh; `initializer` glorot_uniform",
    ),
    "bad_first_loss": Illness(
        _M,
        "the untrained network is confidently wrong",
        "20 times the loss of outputs of zero; first batches of sound networks, some of 10 rows, came to 11 times. Severe "
        "when training is bad",
        "the first loss was {initial:.3g}, {times:,.0f} times that of outputs of zero ({untrained:.3g})",
        "begin with smaller weights: he_normal for relu, glorot_uniform for tanh and sigmoid",
        "`initializer` he_normal or glorot_uniform",
    ),
    "underfit": Illness(
        _S,
        "it does badly on the training data, and nothing above is why",
        _BAD,
        "on training data the loss is {loss:.3g}, where a constant answer has {chance:.3g}: the network is too small "
        "for the data, or its inputs say little of the target",
        "more hidden units or layers, another activation, less regularisation; never more dropout",
        "`hidden_units` from the largest there was to eight times that, `hidden_layers` 1 to 3, no dropout",
    ),
    "overfit": Illness(
        _M,
        "it does well on the training data and badly on validation data",
        "half of the chance loss gone in training, and in the end validation loss above it by 0.3 of chance and "
        "twice as large; sound networks on 35 rows came to 0.23, on 88 patients to 0.31, but to 1.8 times. Or a "
        "quarter gone, and after its least validation loss rose by 0.05 of chance while training loss fell by 0.15 "
        "more, unless early stopping ended it: on noisy data nothing worth learning takes half away. Training loss "
        "of sound networks fell by 0.07 at most from there",
        "the loss is {train:.3g} on training data and {validation:.3g} on validation data, where it was least, "
        "{least:.3g}, in epoch {least_epoch}",
        "early stopping, l1 or l2, dropout, more data",
        "`early_stopping` after a fifth of the epochs; `l2` and `dropout` are searched, unless the study has them",
    ),
    "too_short": Illness(
        _N,
        "it trained for too few epochs to tell how it learned",
        "fewer than 4: a loss has no halves to compare",
        "{epochs:#epoch} of training: too little to tell how it learned",
        "more epochs, or a pruner that begins later",
        "twice the `epochs`, 8 at least",
    ),
    "not_seen": Illness(
        _N,
        "how it learned cannot be told",
        "it has not ended, it failed before an epoch was over, or its losses are nowhere: another program trained it",
        "how it learned cannot be told: {why}",
        "look at its log, or at the curves of the program that trained it",
        "nothing",
    ),
}  # fmt: skip

OF_STUDIES: dict[str, Illness] = {
    "most_failed": Illness(
        _S,
        "most trials failed",
        "half of those that ended",
        "{failed} of {ended} trials failed, {diverged} of them because they diverged",
        "look at the reasons, `hpo trials STUDY --state FAIL`; where they diverged, lower the learning rates",
        "only what the trials' own illnesses ask for",
    ),
    "common": Illness(
        _S,
        "most trials have the same illness",
        "half of the best few, as severe as theirs; or half of a sample, mild: a search passes bad corners on its way",
        "{count} of the {seen} {which}: {means}",
        "as for the trials",
        "what that illness asks for",
    ),
    "at_edge": Illness(
        _M,
        "the best settings crowd at an end of a range",
        "so many of the best tenth in the outer tenth that uniform chance, over both ends of all parameters, "
        "would put as many there in 1 % of studies",
        "{count} of the best {best} trials have {parameter} in the {end} tenth of its range ({low:g} to {high:g})",
        "move that end of the range",
        "that end goes a decade further, without log a width, as far as the hyperparameter may",
    ),
    "does_not_matter": Illness(
        _N,
        "a parameter changes nothing",
        "less than a tenth of an equal share of importance, in 50 trials or more: fewer say too little",
        "{parameter} explains {share:.1%} of the differences between trials",
        "fix it at the best trial's value and search elsewhere",
        "the best trial's value is fixed, unless other parameters hang on it",
    ),
    "told_apart": Illness(
        _N,
        "the best settings cannot be told apart",
        "half of the best ten, by the test of analysis.ties",
        "{tied} of the {others} trials behind the best one cannot be told apart from it",
        "more repeats or folds: a difference within what chance does is no reason to choose",
        "three times the `repeats`",
    ),
    "not_begun": Illness(
        _N,
        "no trial has ended yet",
        "none of them",
        "{ended} of its trials have ended: nothing can be told yet",
        "wait for trials to end: `hpo watch` follows them, `hpo resume` goes on with a study that rests",
        "nothing",
    ),
    "few_trials": Illness(
        _N,
        "too few trials for so many parameters",
        "fewer than ten trials with a value for each searched parameter: the best tenth is then less than one trial each",
        "{valued:#trial} with a value for {parameters:#searched parameter}: too few to tell",
        "more trials, or fewer parameters",
        "twice the `trials`",
    ),
    "few_epochs": Illness(
        _M,
        "trials end while they are still getting better",
        "in half of the best few the last quarter of epochs brought a tenth of the whole fall of validation loss",
        "{count} of the best {seen} trials were still getting better when their {epochs} epochs ended",
        "more epochs, or a higher learning rate",
        "twice the `epochs`, 8 at least",
    ),
}  # fmt: skip

ILLNESSES: dict[str, Illness] = OF_TRIALS | OF_STUDIES


class _Sentence(Formatter):
    """Numbers as people write them: 75 % with a space, and with #word how many of what."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """One number. Names of parameters, which may hold a %, stay as they are."""
        if format_spec.startswith("#"):
            return f"{value} {format_spec[1:]}{'' if value == 1 else 's'}"
        text = str(super().format_field(value, format_spec))
        return text.replace("%", " %") if format_spec.endswith("%") else text


_SENTENCE = _Sentence()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An illness that was found. numbers: what it is judged by, by name; trials: the numbers of those it is about."""

    code: str
    severity: Severity
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)
    trials: tuple[int, ...] = ()

    @property
    def sentence(self) -> str:
        """What was found, with its numbers; without any, what the illness means."""
        illness = ILLNESSES[self.code]
        return _SENTENCE.vformat(illness.says, (), self.numbers) if self.numbers else illness.means

    @property
    def cure(self) -> str:
        """What to change."""
        return ILLNESSES[str(self.numbers.get("illness", self.code))].cure


def found(code: str, *trials: int, severity: Severity | None = None, **numbers: float | int | str) -> Finding:
    """A finding, as severe as its illness unless said otherwise.

    >>> found("dead_units", 3, share=0.75).sentence
    '75 % of the relu units are 0 on every validation row and learn no more'
    """
    return Finding(code=code, severity=severity or ILLNESSES[code].severity, numbers=numbers, trials=trials)

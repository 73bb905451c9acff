"""What a valid study file says in vain or by oversight: one sentence each, never an error."""

from __future__ import annotations

from collections.abc import Iterator

from hpo.dataset import DatasetInfo
from hpo.relevance import listed, unread
from hpo.samplers.rounds import rounds_of
from hpo.service.checks import highest
from hpo.space import SearchSpace
from hpo.study import StudySpec
from hpo.training import default_loss


def notes(spec: StudySpec, info: DatasetInfo) -> list[str]:
    """The sentences about a completed study that its author should see before it runs."""
    return [*_unread(spec.parameters, info), *_warmup(spec)]


def _unread(space: SearchSpace, info: DatasetInfo) -> Iterator[str]:
    defaults = {
        "loss": default_loss(info.task, len(info.classes)),
        "scaling": "minmax" if info.images else "standardize",
        "initializer": "chosen by activation",
    }
    for one in unread(space, defaults):
        selector, name = one.readers.selector, f"parameters.{one.name}"
        if not one.reading:
            yield (
                f"{name} changes nothing: it counts where {selector} is {one.readers.words}, "
                f"and here it is {listed(one.found, 'or')}"
            )
        elif one.name in space.searched and selector in space.searched:
            when = ", ".join(map(str, one.reading))
            yield (
                f"{name} is searched in every trial and counts where {selector} is {listed(one.reading, 'or')}; "
                f"when: {{{selector}: [{when}]}} keeps it out of the others"
            )


def _warmup(spec: StudySpec) -> Iterator[str]:
    longest = highest(spec.parameters.parameters.get("warmup_epochs"))
    if longest is None or spec.epochs is None:
        return
    epochs, where = spec.epochs, ""
    if spec.sampler.name == "coarse_to_fine":
        epochs, where = rounds_of(spec).at_index(0).epochs, " of the first round"
    if longest > epochs:
        yield (
            f"parameters.warmup_epochs goes up to {longest}, and a trial{where} has at most {epochs} epochs: "
            "its learning rate is never reached"
        )

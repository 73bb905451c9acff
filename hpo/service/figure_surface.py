"""What the network of a trial answers over two columns: a plane of its kept model's answers, with the study's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from hpo.data.playground import FEATURES, GENERATORS
from hpo.data.registry import BUILT_IN
from hpo.dataset import Task
from hpo.errors import HpoError
from hpo.figures.columns import Floats, Plane
from hpo.models.preparing import NUMBER
from hpo.models.saved import SavedModel
from hpo.service import datasets, kept_models
from hpo.service.figure_source import Options, Source
from hpo.study import Study, StudySpec

SIDE = 60  # answers across and up: 3,600 in all
# How far the plane reaches, in the units of a scaling: where nearly all training rows are, and a little farther.
REACH: dict[str, tuple[float, float]] = {"standardize": (-2.5, 2.5), "minmax": (-0.1, 1.1)}
POINTS = ("x1", "x2")  # of which all features of the Playground's sets are made
PLAYGROUND = (-6.0, 6.0)  # as far as it draws
MOST_READ = 100_000  # rows that one picture is worth reading


class Dots(NamedTuple):
    """Rows upon a plane, all [rows]: where they lie, and their targets as the model answers."""

    x: Floats
    y: Floats
    target: Floats


NO_DOTS = Dots(*(np.empty(0) for _ in range(3)))


def has_plane(study: Study, spec: StudySpec) -> bool:
    """Whether networks of a study may have one: its rows have two numbers, or what the Playground makes of two."""
    known = study.data.get("n_features")
    return not spec.external and (known in (2, None) or (spec.data and spec.data.source) in GENERATORS)


def surface(source: Source, options: Options) -> Plane | str:
    """The plane that the training rows lie on, or the sentence why there is none. trial: the best one unless given.

    Raises TrialNotFound.
    """
    if options.trial is not None:
        source.storage.get_trial(source.study.name, options.trial)
    if not has_plane(source.study, source.spec):
        return "Only a study of two columns has a decision surface."
    try:
        saved = kept_models.load(source.storage, source.study.name, options.trial)
    except HpoError as error:
        return f"{error.detail[:1].upper()}{error.detail[1:]}."
    return plane(saved, lambda across, up: dots(source, saved, across, up))


def plane(saved: SavedModel, rows: Callable[[str, str], Dots] = lambda across, up: NO_DOTS) -> Plane | str:
    """What a model of two numbers answers around the middle of its training rows. rows: those upon it"""
    names = [column.name for column in saved.columns if column.kind == NUMBER]
    made = set(POINTS) <= set(names) <= set(FEATURES)
    if not made and (len(names) != 2 or len(saved.columns) != 2):
        return "Only a network of two columns of numbers has a decision surface."
    if saved.model.preprocessing[0]["scaling"]["kind"] not in REACH and not made:
        return f"Where the rows lie is known only of columns scaled by {' or '.join(REACH)}."
    across, up = POINTS if made else (names[0], names[1])
    x, y = (np.linspace(*PLAYGROUND, SIDE) if made else _side(saved, place) for place in range(2))
    cells = [cell.ravel() for cell in np.meshgrid(x, y)]
    columns = {name: FEATURES[name](*cells) for name in names} if made else {across: cells[0], up: cells[1]}
    found = saved.predicted(columns, len(x) * len(y))
    answers = found.labels
    if saved.model.task is Task.CLASSIFICATION and found.probabilities is not None:
        answers = found.probabilities[:, 1] if found.probabilities.shape[1] == 2 else found.labels
    drawn = rows(across, up)
    return Plane(
        number=saved.model.number, features=(across, up), target=saved.target, x=x, y=y,
        outputs=np.asarray(answers, dtype=np.float64).reshape(len(y), len(x)),
        rows_x=drawn.x, rows_y=drawn.y, rows_target=drawn.target,
    )  # fmt: skip


def _side(saved: SavedModel, place: int) -> Floats:
    """The numbers of one side: as far as most training rows lie from their middle."""
    scaling = saved.model.preprocessing[0]["scaling"]
    shift, scale = (float(scaling[key][place]) for key in ("shift", "scale"))
    low, high = REACH[scaling["kind"]]
    return np.linspace(shift + low * scale, shift + high * scale, SIDE)


def dots(source: Source, saved: SavedModel, across: str, up: str) -> Dots:
    """The rows that the study trains and validates on, never a test row; none where they cannot be read here."""
    spec, known = source.spec, source.study.data
    if spec.data is None or known.get("n_rows", 0) > MOST_READ:
        return NO_DOTS
    kind = "standardize"  # any that can be undone
    unscaled = replace(spec, data=replace(spec.data, target_scaling="none"))
    try:
        with nullcontext() if spec.data.source in BUILT_IN else datasets.LOOKING.turn():
            found = datasets.prepared(
                unscaled, scalings=[kind], folder=datasets.NOWHERE, storage=lambda: source.storage
            )
    except HpoError:
        return NO_DOTS
    if found.info.sha256 != known.get("sha256"):
        return NO_DOTS
    record, parts = found.preparations[kind][0], found.scaled[kind].training.folds[0]
    inputs = np.concatenate([part.x for part in parts]).astype(np.float64)
    x, y = (_values(inputs, record, name) for name in (across, up))
    return Dots(x, y, np.concatenate([part.y for part in parts]).astype(np.float64))


def _values(inputs: Floats, record: Mapping[str, Any], name: str) -> Floats:
    """A column as it was before it was scaled. inputs: [rows, features]"""
    place, scaling = list(record["numbers"]).index(name), record["scaling"]
    return inputs[:, place] * float(scaling["scale"][place]) + float(scaling["shift"][place])

"""What the network of a trial answers over two columns: a plane of answers from its kept model."""

from __future__ import annotations

import numpy as np

from hpo.dataset import Task
from hpo.errors import HpoError
from hpo.figures.columns import Floats, Plane
from hpo.models.preparing import NUMBER
from hpo.models.saved import SavedModel
from hpo.service import kept_models
from hpo.service.figure_source import Options, Source

SIDE = 60  # answers across and up: 3,600 in all
# How far the plane reaches, in the units of a scaling: where nearly all training rows are, and a little farther.
REACH: dict[str, tuple[float, float]] = {"standardize": (-2.5, 2.5), "minmax": (-0.1, 1.1)}


def surface(source: Source, options: Options) -> Plane | str:
    """The plane that the training rows lie on, or the sentence why there is none. trial: the best one unless given.

    Raises TrialNotFound.
    """
    if options.trial is not None:
        source.storage.get_trial(source.study.name, options.trial)
    if len(source.study.data.get("columns", ())) and source.study.data.get("n_features") != 2:
        return "Only a study of two columns has a decision surface."
    try:
        saved = kept_models.load(source.storage, source.study.name, options.trial)
    except HpoError as error:
        return f"{error.detail[:1].upper()}{error.detail[1:]}."
    return plane(saved)


def plane(saved: SavedModel) -> Plane | str:
    """What a model of two numbers answers around the middle of its training rows."""
    names = [column.name for column in saved.columns if column.kind == NUMBER]
    if len(names) != 2 or len(saved.columns) != 2:
        return "Only a network of two columns of numbers has a decision surface."
    if saved.model.preprocessing[0]["scaling"]["kind"] not in REACH:
        return f"Where the rows lie is known only of columns scaled by {' or '.join(REACH)}."
    x, y = (_side(saved, place) for place in range(2))
    across, up = np.meshgrid(x, y)
    found = saved.predicted({names[0]: across.ravel(), names[1]: up.ravel()}, across.size)
    answers = found.labels if found.probabilities is None else found.probabilities
    if saved.model.task is Task.CLASSIFICATION and found.probabilities is not None:
        answers = found.probabilities[:, 1] if found.probabilities.shape[1] == 2 else found.labels
    nothing = np.empty(0)
    return Plane(
        number=saved.model.number, features=(names[0], names[1]), target=saved.target, x=x, y=y,
        outputs=np.asarray(answers, dtype=np.float64).reshape(across.shape),
        rows_x=nothing, rows_y=nothing, rows_target=nothing,
    )  # fmt: skip


def _side(saved: SavedModel, place: int) -> Floats:
    """The numbers of one side: as far as most training rows lie from their middle."""
    scaling = saved.model.preprocessing[0]["scaling"]
    shift, scale = (float(scaling[key][place]) for key in ("shift", "scale"))
    low, high = REACH[scaling["kind"]]
    return np.linspace(shift + low * scale, shift + high * scale, SIDE)

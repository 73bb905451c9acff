"""From a study file or a few options to a study in the database."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

from hpo import __version__
from hpo.account import Quota
from hpo.dataset import DatasetInfo, scaling_key
from hpo.errors import SpecError, StudyExists
from hpo.service import records, specfile
from hpo.service.objectives import in_words
from hpo.service.populations import POPULATION
from hpo.service.settings_given import settings_of
from hpo.service.shorthand import parse_override
from hpo.service.warm_start import check_warm_start
from hpo.settings import EXACT
from hpo.space import Choice, Fixed, Parameter, Value
from hpo.storage.base import Once, Storage
from hpo.study import METRICS, Direction, NewStudy, ObjectiveSpec, Study, StudySpec

MAX_STEM = 57  # leaves room in a name of 64 for a counter
_TRIES = 100
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_ENDINGS = (".gz", ".yaml", ".yml", ".json", ".csv", ".tsv", ".parquet", ".npz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A study as the user wrote it, before anybody looked at its data.

    folder: where a relative path of the study file begins; stem: what a nameless study is called
    """

    spec: StudySpec
    folder: Path
    stem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of `hpo run --data`; None means not given."""

    data: str | None = None
    target: str | None = None
    space: str | None = None
    sampler: str | None = None
    trials: int | None = None
    epochs: int | None = None
    seed: int | None = None
    name: str | None = None
    settings: Mapping[str, Any] | None = None  # of --set: KEY.KEY -> VALUE

    def overrides(self) -> dict[str, Any]:
        """The same as keys of a study file, with dots."""
        given = {
            "data.source": self.data,
            "data.target": self.target,
            "parameters": self.space,
            "sampler.name": self.sampler,
            "trials": self.trials,
            "epochs": self.epochs,
            "seed": self.seed,
            "name": self.name,
        }
        return {key: value for key, value in given.items() if value is not None} | dict(self.settings or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who has a study made. served: a server's coordinator is to run it; once: the request, if it may come twice."""

    owner: str | None = None
    quota: Quota | None = None
    once: Once | None = None
    served: bool = False


TERMINAL = Sender()  # whoever sits at the machine that will run it

_STUDY_FILES = (".yaml", ".yml", ".json")  # nobody takes one for a table


def parse_settings(
    words: Sequence[str], *, example: str = "parameters.dropout=0.5", field: str = "--set"
) -> dict[str, Any]:
    """KEY=VALUE words, such as those of --set; a later one goes before an earlier. Raises SpecError.

    example, field: what the error shows for a word that is none, and where
    """
    return dict(parse_override(word, example=example, field=field) for word in words)


def draft_of_file(path: Path, options: Options = Options()) -> Draft:
    """The study of a file, with options that go before what it says. Raises SpecError."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        meant = (
            "" if path.suffix in _STUDY_FILES else f"; a data set to search on is given by `--data {path}`"
        )
        raise SpecError(f"no study file is called {str(path)!r}{meant}") from None
    except OSError as error:
        raise SpecError(f"the study file {str(path)!r} cannot be read: {error.strerror}") from None
    spec = specfile.parse(text, overrides=options.overrides())
    return Draft(spec=spec, folder=path.absolute().parent, stem=stem_of(path.name))


def draft_of_options(options: Options, folder: Path) -> Draft:
    """The study that `hpo run --data` asks for; paths begin at the folder. Raises SpecError."""
    if options.data is None:
        raise SpecError("give a study file, or a data set with --data (`hpo data ls` shows those there are)")
    overrides = {"parameters": "mlp-default"} | options.overrides()
    spec = specfile.parse(json.dumps({"data": {"source": options.data}}), overrides=overrides)
    return Draft(spec=spec, folder=folder.absolute(), stem=stem_of(Path(options.data).name))


def stem_of(file_name: str) -> str:
    """What a study is called after its file or data set.

    >>> stem_of("Wine quality (red).csv.gz"), stem_of("---")
    ('Wine-quality-red', 'study')
    """
    stem, before = file_name, ""
    while stem != before:
        before = stem
        for ending in _ENDINGS:
            stem = stem.removesuffix(ending)
    return _UNFIT.sub("-", stem).strip("-._")[:MAX_STEM] or "study"


def scalings_of(spec: StudySpec) -> tuple[str | None, ...]:
    """The input scalings that the study's trials may ask for, as `scaling_key` has them; None is the data's default."""
    parameters = spec.parameters.parameters
    names = _values_of(parameters.get("scaling"))
    counts = _values_of(parameters.get("pca_components"))
    keys = {
        None if name is None else scaling_key(str(name), int(count or 0)): None
        for name in names
        for count in counts
    }
    return tuple(keys)


def _values_of(parameter: Parameter | None) -> tuple[Value, ...]:
    """Every value a parameter may have, None among them where trials may go without it."""
    if parameter is None:
        return (None,)
    values: tuple[Value, ...]
    if isinstance(parameter, Fixed):
        values = (parameter.value,)
    elif isinstance(parameter, Choice):
        values = tuple(parameter.choices)
    else:
        values = tuple(range(int(parameter.low), int(parameter.high) + 1, int(parameter.step or 1)))
    return (*values, None) if parameter.when else values


def create(
    storage: Storage,
    draft: Draft,
    info: DatasetInfo | None,
    *,
    precision: str = EXACT,
    sender: Sender = TERMINAL,
) -> tuple[Study, StudySpec]:
    """Complete a draft for its data and put it into the database, QUEUED.

    info: None for a study that is trained elsewhere; precision: in which all its trials train, also when another process goes on with it
    A study without a name gets one that is free. Raises SpecError; StudyExists for a name that was given
    and is taken; KeyReused, QuotaReached, DatasetNotFound as `Storage.create_study` does.
    """
    spec = specfile.complete(draft.spec, info)
    check_warm_start(storage, spec)

    def made(spec: StudySpec, name: str) -> tuple[Study, StudySpec]:
        new = replace(
            _new(spec, name, draft, info, precision),
            owner=sender.owner,
            served=sender.served,
            folder="" if sender.served else str(draft.folder),
        )
        return storage.create_study(new, once=sender.once, quota=sender.quota), spec

    if spec.name is not None:
        return made(spec, spec.name)
    name = draft.stem
    for _ in range(_TRIES):
        named = replace(spec, name=name)
        try:
            return made(named, name)
        except StudyExists:  # or another process was quicker: look again
            name = _free_name(storage, draft.stem)
    raise StudyExists(f"no free name was found after {draft.stem!r}; give one with --name")


def _free_name(storage: Storage, stem: str) -> str:
    """The stem with the first counter above all there are.

    The highest rather than the first gap: the name of a study that was removed does not come back.
    """
    counter = re.compile(re.escape(stem) + r"-([1-9][0-9]{0,5})")
    matches = (counter.fullmatch(name) for name in storage.study_names(f"{stem}-"))
    return f"{stem}-{max((int(m[1]) for m in matches if m), default=1) + 1}"


def _new(spec: StudySpec, name: str, draft: Draft, info: DatasetInfo | None, precision: str) -> NewStudy:
    objective = spec.objective or ObjectiveSpec(metric="accuracy")
    return NewStudy(
        name=name,
        direction=objective.direction or METRICS.get(objective.metric, Direction.MINIMIZE),
        metric=objective.metric,
        n_trials=spec.trials or 0,
        spec=specfile.to_json(spec),
        data={} if info is None else records.info_record(info),
        folder=str(draft.folder),
        priority=spec.priority,
        labels=dict(spec.labels),
        objectives=spec.objectives,
        versions=versions() | {"precision": precision},
        enqueue=settings_of(spec),
    )


def sentence(spec: StudySpec) -> str:
    """What a completed study will do, in one sentence.

    >>> from hpo.space import SearchSpace
    >>> sentence(StudySpec(parameters=SearchSpace({}), trials=64, epochs=30))
    '64 random trials of at most 30 epochs; all are the same, since no parameter has several values'
    """
    trials = "1 trial" if spec.trials == 1 else f"{spec.trials} {spec.sampler.name} trials"
    if spec.enqueue:
        trials += f" ({len(spec.enqueue)} enqueued)"
    text = trials if spec.epochs is None else f"{trials} of at most {spec.epochs} epochs"
    if spec.external:
        text += ", trained by whoever asks for them"
    if spec.pruner.name == POPULATION and spec.pruner.bracket is not None:
        text += f", in populations of {spec.pruner.bracket}"
    n_folds = (spec.data.split.folds if spec.data else None) or 1
    if spec.repeats * n_folds > 1:
        counts = [f"{n} {word}" for n, word in ((spec.repeats, "repeats"), (n_folds, "folds")) if n > 1]
        text += f", each the mean of {' of '.join(counts)}"
    if spec.objective is not None:
        text += f", {in_words(spec)}"
    if spec.parameters.searched:
        text += f" over {', '.join(spec.parameters.searched)}"
    elif spec.trials != 1:
        text += "; all are the same, since no parameter has several values"
    return text


def versions() -> dict[str, str]:
    """The versions that a result depends on, without importing what they are of."""
    return dict(_versions())


@functools.cache  # they are read from files, and stay while a process lives
def _versions() -> tuple[tuple[str, str], ...]:
    found = {"hpo": __version__, "python": python_version()}
    for package in ("torch", "optuna", "numpy"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return tuple(found.items())

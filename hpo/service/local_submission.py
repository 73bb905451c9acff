"""Studies submitted to the database of this machine: their data files are kept in it, so that any coordinator runs them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpo.account import ANYBODY
from hpo.asked import Asked
from hpo.data.registry import BUILT_IN
from hpo.errors import DataError, HpoError
from hpo.service import datasets, forking, specfile, submission, submit, workers
from hpo.service.datasets import OpenStorage
from hpo.service.submission import UPLOADED
from hpo.service.submit import TERMINAL, Draft
from hpo.storage.base import Storage
from hpo.study import StudySpec


def submit_study(storage: Storage, asked: Asked, *, precision: str) -> str:
    """Store a study for a coordinator to run; its name. Raises SpecError, DataError, StudyExists, KeyReused."""
    said = json.dumps(asked.tree, sort_keys=True).encode()
    by = submission.sender(ANYBODY, None, key=asked.key, said=said)
    with _with_data(storage, asked) as spec:
        draft = submission.served(spec, stem=asked.stem)
        return submission.submit_draft(storage, draft, by, precision=precision).name


def _file(spec: StudySpec, folder: Path) -> Path | None:
    """The file that a study names as its data, if it names one."""
    source = spec.data.source if spec.data else None
    if source is None or source in BUILT_IN or UPLOADED.fullmatch(source):
        return None
    return folder / Path(source).expanduser()


@contextmanager
def _with_data(storage: Storage, asked: Asked) -> Iterator[StudySpec]:
    """The study with a data file kept in the database and named by its id. Raises SpecError, DataError.

    What was kept for a study that is then refused is removed again.
    """
    spec = specfile.from_json(asked.tree)
    path = _file(spec, asked.folder)
    if path is None or spec.data is None:
        yield spec
        return
    if path.is_dir():
        raise DataError(
            f"{spec.data.source!r} is a folder, and a database keeps files: make one .npz of it",
            field="data.source",
        )
    if path.is_file():  # else `add` says what is wrong
        submission.check_file(asked)
    known = {kept.id for kept in storage.list_datasets()}
    try:
        kept = datasets.add(storage, path)
    except DataError as error:
        raise DataError(error.detail, field="data.source") from None
    try:
        yield replace(spec, data=replace(spec.data, source=kept["id"]))
    except HpoError:
        if kept["id"] not in known:
            with suppress(HpoError):  # another study may use the same bytes by now: then they stay
                storage.delete_dataset(kept["id"])
        raise


def validate(opened: OpenStorage, asked: Asked) -> dict[str, Any]:
    """The completed study file and what would run. Raises SpecError, DataError, DatasetNotFound."""
    draft = Draft(spec=specfile.from_json(asked.tree), folder=asked.folder, stem="")
    if draft.spec.external:
        return submission.valid_record(specfile.complete(draft.spec, None), None, None)
    prepared = datasets.prepared(
        draft.spec, scalings=submit.scalings_of(draft.spec), folder=draft.folder, storage=opened
    )
    spec = specfile.complete(draft.spec, prepared.info)
    # A coordinator's knowledge, which a service cannot import: it stands above.
    estimating = importlib.import_module("hpo.coordinator.estimating")
    machine = estimating.machine_of(workers.slots(opened()))
    plan = estimating.estimate(spec, prepared.info, machine)
    return submission.valid_record(spec, prepared.info, plan)


def fork(storage: Storage, name: str, changes: Mapping[str, Any], *, replay: bool, trial: int | None) -> str:
    """A new study with the study file of another one; its name. Raises as `submission.fork` does."""
    study = storage.get_study(name)
    asked = submission.Fork(overrides=changes, replay=replay, trial=trial)
    if study.served:
        by = submission.sender(ANYBODY, None, key=None, said=b"")
        return submission.fork(storage, name, asked, by).name
    draft = submission.forked(storage, name, asked)
    info = None
    if not draft.spec.external:
        info = datasets.prepared(
            draft.spec,
            scalings=submit.scalings_of(draft.spec),
            folder=draft.folder,
            storage=lambda: storage,
        ).info
    precision = forking.precision_of(study)
    return submit.create(storage, draft, info, precision=precision, sender=TERMINAL)[0].name

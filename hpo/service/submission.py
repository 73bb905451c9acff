"""Studies that come to a server: only data that is built in or uploaded, the same request only once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpo.account import Account, Quota
from hpo.asked import Asked
from hpo.data.registry import BUILT_IN
from hpo.dataset import DatasetInfo
from hpo.errors import BadRequest, DataError, SpecError
from hpo.service import datasets, forking, known_data, specfile, submit
from hpo.service.notes import notes
from hpo.service.submit import Draft, Sender
from hpo.service.warm_start import check_warm_start
from hpo.settings import EXACT
from hpo.storage.base import Once, Storage
from hpo.study import Study, StudySpec

UPLOADED = re.compile(r"ds_[0-9a-f]{16}")
KEY = re.compile(r"[\x21-\x7e]{1,255}")  # of an Idempotency-Key: printable, no spaces
NAMELESS = "study"


def draft_of_text(text: bytes) -> Draft:
    """The study file that a request brings. Raises SpecError, also for data that is a path."""
    return served(specfile.parse(text))


def served(spec: StudySpec, *, stem: str | None = None) -> Draft:
    """A draft that a server may run. Raises SpecError where its data is a path: that would be the server's own file."""
    source = spec.data.source if spec.data else None
    if source is not None and source not in BUILT_IN and not UPLOADED.fullmatch(source):
        raise SpecError(
            f"{source[:80]!r} is neither a built-in data set nor the id of an uploaded one (ds_…), and a server reads "
            "no files; `hpo submit` uploads the file first, GET /api/v1/datasets lists what there is",
            field="data.source",
        )
    return Draft(spec=spec, folder=Path(), stem=stem or submit.stem_of(source or NAMELESS))


def check_file(asked: Asked) -> None:
    """Whether a study could be made on its data file, asked before the file is sent or kept.

    Raises SpecError, DataError.
    """
    spec = specfile.from_json(asked.tree)
    scalings = submit.scalings_of(spec)
    found = datasets.prepared(spec, scalings=scalings, folder=asked.folder, storage=_no_storage)
    specfile.complete(spec, found.info)


def _no_storage() -> Storage:
    raise DataError("this is no file, but how ids of uploaded data begin", field="data.source")


def sender(account: Account, quota: Quota | None, *, key: str | None, said: bytes) -> Sender:
    """Who submits, and under which Idempotency-Key. said: the request. Raises BadRequest for a key that is none."""
    once = None
    if key is not None:
        if not KEY.fullmatch(key):
            raise BadRequest(
                "must be 1 to 255 printable ASCII characters without spaces", field="Idempotency-Key"
            )
        once = Once(owner=account.owner or "", key=key, digest=hashlib.sha256(said).hexdigest())
    return Sender(owner=account.owner, quota=quota, once=once, served=True)


def submit_draft(storage: Storage, draft: Draft, by: Sender, *, precision: str = EXACT) -> Study:
    """Put a study into the database for a coordinator to run.

    Raises SpecError, DataError, DatasetNotFound, TooManyRequests, StudyExists, KeyReused, QuotaReached.
    """
    info = known_data.described(storage, draft.spec)
    return submit.create(storage, draft, info, precision=precision, sender=by)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """What a new study takes over from another one: its file with dotted overrides, or one trial's schedule."""

    overrides: Mapping[str, Any] = field(default_factory=dict)
    replay: bool = False
    trial: int | None = None


def forked(storage: Storage, name: str, asked: Fork) -> Draft:
    """The study file of another study with what is to be different. Raises SpecError, StudyNotFound."""
    if asked.trial is not None and not asked.replay:
        raise SpecError("says which trial to replay; give replay: true too", field="trial")
    return (
        forking.draft_of_replay(storage, name, asked.trial, asked.overrides)
        if asked.replay
        else forking.draft_of_study(storage, name, asked.overrides)
    )


def fork(storage: Storage, name: str, asked: Fork, by: Sender) -> Study:
    """A new study with the study file of another one. Raises what `submit_draft` raises, and StudyNotFound.

    With `replay`, one trial of a population by the schedule found for it; raises what `replayed` raises.
    """
    draft = forked(storage, name, asked)
    precision = forking.precision_of(storage.get_study(name))
    return submit_draft(storage, served(draft.spec, stem=draft.stem), by, precision=precision)


def completed(storage: Storage, draft: Draft) -> tuple[StudySpec, DatasetInfo | None]:
    """A draft's completed study file and what is known of its data; nothing is stored.

    Raises SpecError, DataError, DatasetNotFound, TooManyRequests, StudyNotFound for an unknown study in warm_start.
    """
    info = known_data.described(storage, draft.spec)
    spec = specfile.complete(draft.spec, info)
    check_warm_start(storage, spec)
    return spec, info


def valid_record(spec: StudySpec, info: DatasetInfo | None, plan: dict[str, Any] | None) -> dict[str, Any]:
    """What `hpo validate -f json` prints. plan: what the study takes; None where it is trained elsewhere"""
    said = [] if info is None else notes(spec, info)
    return {"valid": True, "spec": specfile.to_json(spec), "plan": plan, "notes": said}

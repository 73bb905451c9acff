"""A new study from the stored study file of another one, whatever state that is in."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.data.registry import BUILT_IN
from hpo.service import specfile
from hpo.service.replay import replayed
from hpo.service.submit import Draft
from hpo.settings import EXACT
from hpo.storage.base import Storage
from hpo.study import Study

_COUNTER = re.compile(r"(.+)-[1-9][0-9]{0,5}")


def draft_of_study(storage: Storage, name: str, overrides: Mapping[str, Any]) -> Draft:
    """The study file of a stored study as a draft without a name, with dotted overrides merged in.

    Settings that were enqueued later are not in a study file. Raises StudyNotFound, SpecError.
    """
    study = storage.get_study(name)
    return _draft(storage, study, study.spec, overrides)


def draft_of_record(record: Mapping[str, Any], overrides: Mapping[str, Any]) -> Draft:
    """The same from a study's record, as a server gives it. Raises SpecError."""
    spec = specfile.parse(json.dumps(_as_written(record["spec"])), overrides=overrides)
    return Draft(spec=spec, folder=Path(record["folder"]), stem=record["name"])


def draft_of_replay(storage: Storage, name: str, number: int | None, overrides: Mapping[str, Any]) -> Draft:
    """One trial of a population once more, by the schedule found for it; number: of the best one unless given.

    Raises what `replayed` raises, and SpecError.
    """
    tree = replayed(storage, name, number)
    return _draft(storage, storage.get_study(name), tree, overrides)


def _draft(storage: Storage, study: Study, tree: Mapping[str, Any], overrides: Mapping[str, Any]) -> Draft:
    spec = specfile.parse(json.dumps(_as_written(tree)), overrides=overrides)
    return Draft(spec=spec, folder=Path(study.folder), stem=_stem(storage, study.name))


def precision_of(study: Study) -> str:
    """In which precision a study's trials train."""
    return study.versions.get("precision", EXACT)


def text_of(draft: Draft) -> str:
    """A draft as a study file that works in any folder: the path of its data is written in full."""
    tree = specfile.to_json(draft.spec)
    if draft.spec.external:
        return specfile.to_yaml(draft.spec)
    source = tree["data"]["source"]
    path = draft.folder / source
    if source not in BUILT_IN and path.exists():
        tree["data"]["source"] = str(path)
    return specfile.to_yaml(specfile.from_json(tree))


def _as_written(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A completed study file without its name and without the seeds that another seed gave: that one may change."""
    tree: dict[str, Any] = copy.deepcopy(dict(stored))
    tree.pop("name", None)
    seed = tree.get("seed", 0)
    for section in (tree.get("sampler"), (tree.get("data") or {}).get("split")):
        if isinstance(section, dict) and section.get("seed") == seed:
            del section["seed"]
    return tree


def _stem(storage: Storage, name: str) -> str:
    """What the new study is called before a counter: a fork of digits-2 is the next digits."""
    counted = _COUNTER.fullmatch(name)
    known = set(storage.study_names())
    return counted[1] if counted and counted[1] in known else name

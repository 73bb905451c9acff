"""What is known of data sets, kept in memory: a study on data that was looked at before costs no second look."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from contextlib import nullcontext
from pathlib import Path

from hpo.data.registry import BUILT_IN
from hpo.dataset import DatasetInfo
from hpo.service import datasets, specfile
from hpo.service.objectives import metrics_named
from hpo.service.submit import scalings_of
from hpo.storage.base import Storage
from hpo.study import StudySpec

KEPT = 256  # descriptions
NOWHERE = Path("/dev/null")  # no path begins here: data of a server's studies are never files

# Of this process. An entry is never stale: built-in sets do not change, uploaded ones are named by their content.
_known: OrderedDict[str, DatasetInfo] = OrderedDict()
_lock = threading.Lock()


def described(storage: Storage, spec: StudySpec) -> DatasetInfo | None:
    """What there is to say of a study's data; None for one that is trained elsewhere.

    Raises DataError, DatasetNotFound also for what was removed meanwhile, TooManyRequests.
    """
    if spec.external:
        return None
    key = _key(storage, spec)
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    # Two that ask at the same moment both look, each in its turn: a large file takes several times its size.
    with nullcontext() if _is_built_in(spec) else datasets.LOOKING.turn():
        found = datasets.prepared(
            spec, scalings=scalings_of(spec), folder=NOWHERE, storage=lambda: storage
        ).info
    with _lock:
        _known[key] = found
        while len(_known) > KEPT:
            _known.popitem(last=False)
    return found


def _is_built_in(spec: StudySpec) -> bool:
    return spec.data is not None and spec.data.source in BUILT_IN


def _key(storage: Storage, spec: StudySpec) -> str:
    """Everything that the description depends on."""
    source = spec.data.source if spec.data else ""
    content = source if source in BUILT_IN else storage.get_dataset(source).sha256
    data = specfile.to_json(spec).get("data")
    ranked = "auc" in metrics_named(spec)
    return json.dumps([data, content, scalings_of(spec), spec.seed, ranked], sort_keys=True)

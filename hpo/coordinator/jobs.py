"""From a stored study to a job: its study file and its data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hpo.coordinator.loop import Job
from hpo.service import datasets, specfile
from hpo.service.same_data import check_data
from hpo.service.submit import scalings_of
from hpo.storage.base import Storage
from hpo.study import Study

Load = Callable[[Storage, Study], Job]


def load_job(storage: Storage, study: Study) -> Job:
    """The job of a study. Raises SpecError, DataError, DatasetNotFound, DataChanged; StorageUnavailable."""
    spec = specfile.from_json(study.spec)
    data = datasets.prepared(
        spec, scalings=scalings_of(spec), folder=Path(study.folder), storage=lambda: storage
    )
    check_data(study, data.info)
    return Job(name=study.name, spec=spec, data=data)

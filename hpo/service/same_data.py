"""Whether data are still those a study began with."""

from __future__ import annotations

from hpo.dataset import DatasetInfo
from hpo.errors import DataChanged
from hpo.study import Study


def check_data(study: Study, info: DatasetInfo) -> None:
    """Raises DataChanged unless the data are those the study began with."""
    before = str(study.data.get("sha256", ""))
    if before != info.sha256:
        raise DataChanged(
            f"{info.source} is not the data study {study.name!r} began with "
            f"(SHA-256 {before[:12]}…, now {info.sha256[:12]}…); put it back, or start a new study"
        )

"""Models of studies of the local database, for `Local`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.service.opened import Opened

Record = dict[str, Any]


class LocalModels(Opened):
    """What `hpo.client.base.Models` says. Who asks for no model does not pay for the import of NumPy and Arrow."""

    def model(self, name: str, *, trial: int | None = None) -> bytes | None:
        """A trial's model as a zip."""
        from hpo.service import kept_models
        from hpo.service.model_files import zipped

        return zipped(kept_models.load(self.storage, name, trial))

    def predict(self, name: str, rows: Sequence[Mapping[str, Any]], *, trial: int | None = None) -> Record:
        """What a trial's model says of rows."""
        from hpo.service import kept_models
        from hpo.service.predicting import most_rows, predictions
        from hpo.service.rows import rows_of_json

        saved = kept_models.load(self.storage, name, trial)
        text = json.dumps(list(rows)).encode()
        return predictions(saved, rows_of_json(saved, text, most=most_rows(saved)))

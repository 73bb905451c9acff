"""Models of the database: each method one transaction; what it does and raises stands in `base_models`."""

from __future__ import annotations

from hpo.storage import model_requests, models
from hpo.storage.base_models import KeptModel, ModelRequest, StoredModel
from hpo.storage.engine import Transactions


class DatabaseModels:
    """Kept models and requests for others in SQLite or PostgreSQL."""

    _db: Transactions

    def model(self, name: str, number: int | None = None) -> StoredModel | None:
        """The kept model of a trial, or of the best one so far."""
        with self._db.read() as connection:
            return models.load(connection, name, number)

    def kept_models(self, name: str) -> list[KeptModel]:
        """The kept models without their bytes."""
        with self._db.read() as connection:
            return models.kept(connection, name)

    def request_model(self, name: str, number: int) -> ModelRequest:
        """Ask for a trial's model."""
        with self._db.write() as connection:
            return model_requests.ask(connection, name, number)

    def model_request(self, name: str, number: int) -> ModelRequest | None:
        """The request for a trial's model."""
        with self._db.read() as connection:
            return model_requests.one(connection, name, number)

    def model_requests(self) -> list[ModelRequest]:
        """The requests that have not failed."""
        with self._db.read() as connection:
            return model_requests.open_ones(connection)

    def fulfil_request(self, name: str, model: StoredModel) -> None:
        """Keep a model that somebody asked for."""
        with self._db.write() as connection:
            study = models.keep_asked(connection, name, model)
            model_requests.strike(connection, study, model.number)

    def refuse_request(self, name: str, number: int, detail: str) -> None:
        """Note why there will be no such model."""
        with self._db.write() as connection:
            model_requests.refuse(connection, name, number, detail)

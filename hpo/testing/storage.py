"""What every Storage must do: subclass StorageContract and give it a `storage` fixture."""

from __future__ import annotations

from hpo.testing.storage_accounts import AccountsContract
from hpo.testing.storage_census import CensusContract
from hpo.testing.storage_checkpoints import CheckpointsContract
from hpo.testing.storage_columns import ColumnsContract
from hpo.testing.storage_external import HandingOutContract
from hpo.testing.storage_models import ModelsContract
from hpo.testing.storage_querying import QueryingContract
from hpo.testing.storage_quotas import QuotasContract
from hpo.testing.storage_reading import DatasetsContract, ReadingContract
from hpo.testing.storage_searching import FrontContract, QueueContract
from hpo.testing.storage_service import CoordinatorsContract, CreatingContract, ServedContract
from hpo.testing.storage_studies import ClaimsContract, StudiesContract
from hpo.testing.storage_telling import ReportingContract, TellingContract
from hpo.testing.storage_trials import TrialsContract
from hpo.testing.storage_wishes import WishesContract


class StorageContract(
    StudiesContract,
    WishesContract,
    ClaimsContract,
    TrialsContract,
    QueueContract,
    FrontContract,
    ReadingContract,
    QueryingContract,
    DatasetsContract,
    AccountsContract,
    ModelsContract,
    CreatingContract,
    QuotasContract,
    ServedContract,
    CoordinatorsContract,
    HandingOutContract,
    ReportingContract,
    TellingContract,
    CensusContract,
    ColumnsContract,
    CheckpointsContract,
):
    """All of it."""

"""The trained model as a file: weights and preparation as numbers; save, load, predict. No torch, no pickle."""

from hpo.models.files import from_bytes, to_bytes
from hpo.models.folder import load_folder
from hpo.models.model import Lane, Model
from hpo.models.predict import predict, probabilities
from hpo.models.saved import SavedModel

__all__ = [
    "Lane",
    "Model",
    "SavedModel",
    "from_bytes",
    "load_folder",
    "predict",
    "probabilities",
    "to_bytes",
]

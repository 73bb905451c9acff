"""The trained model as a file: weights and preparation as numbers; save, load, predict. No torch, no pickle."""

from hpo.models.files import from_bytes, to_bytes
from hpo.models.model import Lane, Model
from hpo.models.predict import predict, probabilities

__all__ = ["Lane", "Model", "from_bytes", "predict", "probabilities", "to_bytes"]

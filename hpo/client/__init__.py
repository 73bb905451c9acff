"""The Python client: `Client` for notebooks, with a server or on the local database."""

from hpo.client.client import Client

__all__ = ["Client"]

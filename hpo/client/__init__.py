"""The Python client: `Client` for notebooks, with a server or on the local database."""

"""Settings of all tests: property tests have no deadline, since machines are shared and busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("hpo", deadline=None)
settings.load_profile("hpo")

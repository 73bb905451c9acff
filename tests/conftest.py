"""Set the environment that exact training needs, before any test imports torch."""

import os
import sys

if "torch" in sys.modules and os.environ.get("MKL_CBWR") != "AVX2":
    raise RuntimeError(
        "torch was imported before tests/conftest.py could set MKL_CBWR=AVX2; run pytest from the root"
    )
os.environ["MKL_CBWR"] = "AVX2"

from hypothesis import settings

# Machines are shared and busy: a property test is judged by what it says, not by how long it takes.
settings.register_profile("hpo", deadline=None)
settings.load_profile("hpo")

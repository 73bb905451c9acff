"""`python -m hpo`: the program `hpo`, of the Python that runs it."""

from __future__ import annotations

import sys

from hpo.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())

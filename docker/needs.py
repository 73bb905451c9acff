"""Print what the package needs, a requirement a line, from its pyproject.toml: `needs.py EXTRA… --without NAME…`."""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path


def needs(pyproject: str, extras: Sequence[str], without: Collection[str]) -> Iterator[str]:
    """The requirements of a project and of some of its extras, but for packages of some names.

    >>> list(needs("[project]\\ndependencies = ['ray>=2.60', 'numpy>=2']", [], {"ray"}))
    ['numpy>=2']
    """
    project = tomllib.loads(pyproject)["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    for requirement in (line for lines in lists for line in lines):
        if re.split(r"[^\w.-]", requirement)[0] not in without:
            yield requirement


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extras", nargs="*")
    parser.add_argument("--without", nargs="*", default=[])
    asked = parser.parse_args()
    print(*needs(Path("pyproject.toml").read_text(encoding="utf-8"), asked.extras, asked.without), sep="\n")

"""Builders for data tests: write a small file, prepare it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.data.prepare import prepare
from hpo.dataset import PreparedData
from hpo.study import DataSpec, SplitSpec


class Bench:
    """A folder to write sources in and to prepare them from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, content: str | bytes, name: str = "data.csv") -> str:
        (self.folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    def prepare(
        self, source: str, *, scaling: str | None = "none", seed: int = 0, **spec: object
    ) -> PreparedData:
        split = spec.pop("split", {})
        data = DataSpec(source=source, split=SplitSpec(**split), **spec)
        return prepare(data, scalings=[scaling], folder=self.folder, seed=seed)

    def csv(
        self, text: str | bytes, *, target: str | None = "y", name: str = "data.csv", **spec: object
    ) -> PreparedData:
        return self.prepare(self.write(text, name), target=target, **spec)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def lines() -> Callable[..., str]:
    """CSV text of columns given as lists: lines(a=[1, 2], y=["u", "v"])."""

    def build(**columns: list[object]) -> str:
        rows = zip(*columns.values(), strict=True)
        return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n"

    return build

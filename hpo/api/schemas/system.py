"""What the server says of itself."""

from __future__ import annotations

from hpo.api.schemas.base import Answer, example


class Versions(Answer):
    """The versions of hpo and of what results depend on."""

    model_config = example(
        {"hpo": "0.5.0", "python": "3.11.9", "torch": "2.13.0", "optuna": "5.0.0", "numpy": "2.3.1"}
    )

    hpo: str
    python: str
    torch: str | None = None
    optuna: str | None = None
    numpy: str | None = None

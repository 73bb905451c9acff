"""What may change when a lane goes on from where another one is, as in population-based training."""

from __future__ import annotations

from hpo.errors import SpecError
from hpo.fused.optimizers import optimizer_of
from hpo.fused.update import skips
from hpo.training import LaneSettings

# Optimizers that share a class keep the same states; these do too: a velocity.
_ALIKE = frozenset({"momentum", "nesterov"})
# Lanes of these activations have other parameters than the rest.
OTHER_PARAMETERS = ("maxout", "prelu")


def check_copy(source: LaneSettings, new: LaneSettings) -> None:
    """Raises SpecError unless a lane with the new settings can go on with the weights and states of the source."""
    if new.hidden != source.hidden:
        raise SpecError(
            f"a copied lane keeps its widths {_dashed(source)}, it cannot become {_dashed(new)}",
            field="parameters.hidden_units",
        )
    for kind in OTHER_PARAMETERS:
        if (new.activation == kind) != (source.activation == kind):
            raise SpecError(
                f"a copied lane cannot become {kind}, or stop being it", field="parameters.activation"
            )
    alike = {source.optimizer, new.optimizer} <= _ALIKE or optimizer_of(source) is optimizer_of(new)
    if not alike:
        raise SpecError(
            f"{new.optimizer} cannot go on from the states of {source.optimizer}; fix the optimizer",
            field="parameters.optimizer",
        )
    if skips(new) != skips(source):
        # Only lanes that skip count their updates by themselves.
        raise SpecError("a copied lane cannot begin or cease to skip updates", field="parameters.skip_norm")


def other_parameters(one: LaneSettings, other: LaneSettings) -> bool:
    """Whether two lanes of a cohort have different parameters."""
    return one.activation != other.activation and bool(
        {one.activation, other.activation} & {*OTHER_PARAMETERS}
    )


def _dashed(settings: LaneSettings) -> str:
    return "-".join(map(str, settings.hidden)) or "none"

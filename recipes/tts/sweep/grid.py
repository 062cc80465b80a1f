"""The sampling settings of a sweep: values of one setting, the others as in the base."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.sampling.config import SamplingConfig
from recipes.tts.test_set.sampling_options import change_sampling

Field = Literal["cfg_scale", "num_steps", "noise_scale"]
HEADINGS: dict[Field, str] = {
    "cfg_scale": "CFG scale",
    "num_steps": "steps",
    "noise_scale": "noise",
}


@dataclass(frozen=True)
class Sweep:
    """Settings that differ in one value, and in their solvers."""

    field: Field
    settings: tuple[SamplingConfig, ...]

    @property
    def axis(self) -> str:
        """The label of the x axis, with the other values, which are fixed."""
        others = (field for field in HEADINGS if field != self.field)
        fixed = (f"{HEADINGS[field]} {getattr(self.settings[0], field):g}" for field in others)
        return f"{HEADINGS[self.field]}, at {' and '.join(fixed)}"

    def values(self) -> list[float]:
        """The different x values, rising."""
        return sorted({getattr(setting, self.field) for setting in self.settings})


def setting_name(sampling: SamplingConfig) -> str:
    """The name of a setting's folder and report."""
    return (
        f"cfg{sampling.cfg_scale:g}_steps{sampling.num_steps}_noise{sampling.noise_scale:g}"
        f"_{sampling.solver}"
    )


@dataclass(frozen=True)
class Grid:
    """The sweeps, which meet in `base`."""

    base: SamplingConfig
    sweeps: Sequence[Sweep]

    def settings(self) -> list[SamplingConfig]:
        """All settings, each once, the base first where it is one of them."""
        by_name = {setting_name(one): one for sweep in self.sweeps for one in sweep.settings}
        return sorted(by_name.values(), key=lambda one: one != self.base)


def make_grid(
    base: SamplingConfig, solvers: Sequence[str], values: Mapping[Field, Sequence[float]]
) -> Grid:
    """Makes a sweep of each field that has values; ConfigError if none has."""
    sweeps = [
        Sweep(
            field,
            tuple(
                change_sampling(base, **{field: one}, solver=solver)
                for solver in solvers
                for one in found
            ),
        )
        for field, found in values.items()
        if found
    ]
    if not sweeps:
        raise ConfigError("nothing to sweep; give --cfg_scales, --num_steps or --noise_scales")
    return Grid(change_sampling(base, solver=solvers[0]), sweeps)

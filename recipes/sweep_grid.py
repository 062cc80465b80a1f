"""Which sampling settings a sweep has: CFG scales at some steps, numbers of steps at some scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.generate import SamplingConfig
from recipes.sampling_options import make_sampling


@dataclass(frozen=True)
class Sweep:
    """Settings that differ in one value, and in their solvers."""

    field: Literal["cfg_scale", "num_steps"]
    settings: tuple[SamplingConfig, ...]

    @property
    def axis(self) -> str:
        """What is on the x axis, and what the other value is."""
        one = self.settings[0]
        if self.field == "cfg_scale":
            return f"CFG scale, at {one.num_steps} steps"
        return f"sampling steps, at CFG scale {one.cfg_scale:g}"

    def values(self) -> list[float]:
        """The different x values, rising."""
        return sorted({getattr(setting, self.field) for setting in self.settings})


def setting_name(sampling: SamplingConfig) -> str:
    """The name of a setting's folder and report."""
    return f"cfg{sampling.cfg_scale:g}_steps{sampling.num_steps}_{sampling.solver}"


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
    cfg_scales: Sequence[float],
    num_steps: Sequence[int],
    solvers: Sequence[str],
    at_cfg: float,
    at_steps: int,
) -> Grid:
    """A sweep of each value that is given; ConfigError for none."""
    by_scale = [make_sampling(one, at_steps, solver) for solver in solvers for one in cfg_scales]
    by_steps = [make_sampling(at_cfg, one, solver) for solver in solvers for one in num_steps]
    sweeps = [Sweep("cfg_scale", tuple(by_scale)), Sweep("num_steps", tuple(by_steps))]
    found = [sweep for sweep in sweeps if sweep.settings]
    if not found:
        raise ConfigError("nothing to sweep; give --cfg_scales, --num_steps or both")
    return Grid(make_sampling(at_cfg, at_steps, solvers[0]), found)

"""AdamW, or Muon for matrices, with clipping and learning rates that are functions of the step.

Vectors (biases, norm gains, any parameter with at most one size above 1) and embedding tables have
no weight decay. Parts of a module may learn at a fraction of the rate, whatever the schedule.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from latentspeech.core.config import Config
from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.train.state.sharded_tensor import is_sharded, slice_like, whole


class OptimizerConfig(Config):
    """The optimizer and its schedule. Steps are steps of the run, even those without this turn."""

    kind: Literal["adamw", "muon"] = Field(
        default="adamw",
        description="muon: Muon for matrices at the step size of AdamW, AdamW for the rest",
    )
    lr: float = Field(default=3e-4, gt=0, description="peak learning rate")
    betas: tuple[float, float] = Field(
        default=(0.9, 0.95), description="moment decays of AdamW, in [0, 1)"
    )
    weight_decay: float = Field(default=0.0, ge=0, description="decay of matrices")
    warmup_steps: int = Field(default=0, ge=0, description="steps of linear growth from 0 to lr")
    schedule: Literal["cosine", "constant", "exponential"] = Field(
        default="constant", description="course of the learning rate after warm-up"
    )
    total_steps: int = Field(
        default=0, ge=0, description="step at which the schedule ends; 0 for constant"
    )
    final_lr_ratio: float = Field(
        default=0.1, ge=0, le=1, description="lr from total_steps on, as a fraction of peak lr"
    )
    clip_norm: float = Field(
        default=1.0, ge=0, description="largest gradient norm; 0 turns clipping off"
    )

    @model_validator(mode="after")
    def _schedule_can_take_effect(self) -> Self:
        if self.schedule == "constant" and self.total_steps:
            raise ValueError("schedule 'constant' has no end; leave total_steps at 0")
        if self.schedule != "constant" and self.total_steps <= self.warmup_steps:
            raise ValueError(
                f"total_steps = {self.total_steps} must exceed warmup_steps = {self.warmup_steps}"
            )
        if self.schedule == "exponential" and self.final_lr_ratio == 0:
            raise ValueError("schedule 'exponential' never reaches 0; set final_lr_ratio above 0")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas = {self.betas} must lie in [0, 1)")
        return self


class OptimizerSpec(NamedTuple):
    """The module whose parameters a turn owns, and how they are optimized."""

    module: nn.Module
    config: OptimizerConfig
    lr_factors: Mapping[str, float] = {}
    """Name of a submodule or parameter of `module` -> factor of its learning rate.

    If several names contain a parameter, the longest applies; if none does, the factor is 1.
    """


def layer_decay(layers: Sequence[str], decay: float) -> dict[str, float]:
    """Learning rate factors that fall towards the input (BEiT, Bao et al. 2022, arXiv 2106.08254).

    Args:
        layers: names of submodules from the input on, like "embedding", "blocks.0", "blocks.1".
        decay: factor from each layer to the one before it, in (0, 1].

    Returns:
        `OptimizerSpec.lr_factors`: the last layer has `decay`, the one before it decay^2 and so on;
        parts that are not listed, such as a head after the layers, keep the full rate.
    """
    if not 0 < decay <= 1:
        raise ConfigError(f"layer decay is {decay}; expected more than 0 and at most 1")
    return {name: decay ** (len(layers) - place) for place, name in enumerate(layers)}


def learning_rate(config: OptimizerConfig, step: int) -> float:
    """The rate of the update made at `step`, counted from 0."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.lr
    length = config.total_steps - config.warmup_steps
    progress = min(1.0, (step - config.warmup_steps) / length)
    if config.schedule == "exponential":
        return config.lr * math.pow(config.final_lr_ratio, progress)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return config.lr * (config.final_lr_ratio + (1 - config.final_lr_ratio) * cosine)


class ParameterGroup(NamedTuple):
    """Parameters that are decayed alike and learn at the same fraction of the rate."""

    parameters: list[nn.Parameter]
    decayed: bool
    lr_factor: float

    def options(self, weight_decay: float) -> dict[str, Any]:
        """The group as torch's optimizers take it; `lr_factor` is ours."""
        decay = weight_decay if self.decayed else 0.0
        return {"params": self.parameters, "weight_decay": decay, "lr_factor": self.lr_factor}


def parameter_groups(module: nn.Module, factors: Mapping[str, float]) -> list[ParameterGroup]:
    """Two groups for each factor: matrices with decay, vectors and embeddings without.

    Empty groups are left out. Raises ConfigError if a factor belongs to no trainable parameter.
    """
    embeddings = {id(layer.weight) for layer in module.modules() if isinstance(layer, nn.Embedding)}
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}  # by factor, and not decayed
    used: set[str] = set()
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            vector = sum(size > 1 for size in parameter.shape) <= 1
            small = parameter.dim() < 2 or vector or id(parameter) in embeddings
            within = [part for part in factors if f"{name}.".startswith(f"{part}.")]
            used.update(within)
            factor = factors[max(within, key=len)] if within else 1.0
            groups.setdefault((factor, small), []).append(parameter)
    unused = sorted(set(factors) - used)
    if unused:
        raise ConfigError(
            f"lr_factors names {unused[0]!r}, which has no trainable parameter in "
            f"{type(module).__name__}; correct the name or leave it out"
        )
    return [
        ParameterGroup(parameters, not small, factor)
        for (factor, small), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]


class TurnOptimizer:
    """The optimizer of one turn, with names for its state so that it is saved without pickle."""

    def __init__(self, turn: str, spec: OptimizerSpec, root: nn.Module) -> None:
        """Args: `root` is the task, whose parameter names are used."""
        self.turn = turn
        self.config = spec.config
        self._sharded = any(is_sharded(parameter) for parameter in spec.module.parameters())
        if self._sharded and spec.config.kind == "muon":
            raise ConfigError(
                "optimizer.kind: muon works on whole matrices, and train.strategy: fsdp cuts them "
                "up; set train.strategy: ddp or optimizer.kind: adamw"
            )
        self._optimizers = _optimizers(spec)
        if not self._optimizers:
            raise ValueError(f"optimizer {turn!r} owns no parameter that requires a gradient")
        self.parameters = [p for optimizer in self._optimizers for p in _parameters(optimizer)]
        self._names = {id(parameter): name for name, parameter in root.named_parameters()}
        owned = {id(parameter) for parameter in self.parameters}
        self._others = [p for p in root.parameters() if p.requires_grad and id(p) not in owned]

    @contextlib.contextmanager
    def others_frozen(self) -> Iterator[None]:
        """Within the block only this turn's parameters collect gradients.

        In a sharded model the other parameters cannot be frozen, because FSDP2 decides once whether
        a parameter is trained; their gradients are computed and dropped.
        """
        for parameter in self._others:
            parameter.requires_grad_(self._sharded)
        try:
            yield
        finally:
            for parameter in self._others:
                parameter.requires_grad_(True)
                parameter.grad = None

    def zero_grad(self) -> None:
        """Drops the gradients."""
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)

    def clip(self) -> Tensor:
        """Scales the gradients down to norm `clip_norm`; returns their norm before that."""
        limit = self.config.clip_norm or math.inf
        return whole(nn.utils.clip_grad_norm_(self.parameters, limit))

    def step(self, step: int) -> float:
        """Updates the parameters at the rate of `step` times their factor; returns that rate."""
        rate = learning_rate(self.config, step)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["lr_factor"]
            optimizer.step()
        return rate

    def tensors(self) -> dict[str, Tensor]:
        """The state, named "turn/parameter/quantity"; it is sharded like the parameters."""
        return {
            f"{self.turn}/{self._names[id(parameter)]}/{key}": value
            for optimizer in self._optimizers
            for parameter, state in optimizer.state.items()
            for key, value in state.items()
        }

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Restores the state that `tensors` returned, given the tensors of all turns."""
        states: dict[str, dict[str, Tensor]] = {}
        for full_name, value in tensors.items():
            name, _, key = full_name.rpartition("/")
            if name.startswith(f"{self.turn}/"):
                states.setdefault(name, {})[key] = value
        for optimizer in self._optimizers:
            state = {}
            for i, parameter in enumerate(_parameters(optimizer)):
                values = states.pop(f"{self.turn}/{self._names[id(parameter)]}", None)
                if values is not None:
                    state[i] = {k: slice_like(v, parameter) for k, v in values.items()}
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": state, "param_groups": groups})
        if states:
            raise CheckpointError(
                f"the checkpoint holds optimizer state for {min(states)}, which this model lacks; "
                "resume with the code and configuration that wrote it"
            )


def _optimizers(spec: OptimizerSpec) -> list[torch.optim.Optimizer]:
    """The optimizers (0 to 2) that share the module's trainable parameters."""
    config = spec.config
    by_muon: list[dict[str, Any]] = []
    by_adamw: list[dict[str, Any]] = []
    for group in parameter_groups(spec.module, spec.lr_factors):
        muon = config.kind == "muon" and group.decayed
        matrices = [p for p in group.parameters if muon and p.dim() == 2]
        others = [p for p in group.parameters if not (muon and p.dim() == 2)]
        for parameters, options in ((matrices, by_muon), (others, by_adamw)):
            if parameters:
                options.append(group._replace(parameters=parameters).options(config.weight_decay))
    optimizers: list[torch.optim.Optimizer] = []
    if by_muon:
        optimizers.append(torch.optim.Muon(by_muon, lr=config.lr, adjust_lr_fn="match_rms_adamw"))
    if by_adamw:
        optimizers.append(torch.optim.AdamW(by_adamw, lr=config.lr, betas=config.betas, fused=True))
    return optimizers


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def build_optimizers(
    specs: Mapping[str, OptimizerSpec], root: nn.Module
) -> dict[str, TurnOptimizer]:
    """One optimizer a turn; every trainable parameter of `root` must belong to exactly one."""
    optimizers = {turn: TurnOptimizer(turn, spec, root) for turn, spec in specs.items()}
    owners: dict[int, list[str]] = {}
    for turn, optimizer in optimizers.items():
        for parameter in optimizer.parameters:
            owners.setdefault(id(parameter), []).append(turn)
    for name, parameter in root.named_parameters():
        count = len(owners.get(id(parameter), []))
        if parameter.requires_grad and count != 1:
            raise ValueError(
                f"parameter {name} belongs to {count} optimizers; expected 1 "
                "(freeze it with requires_grad_(False) or correct optimizer_specs)"
            )
    return optimizers

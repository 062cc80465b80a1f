"""The study of the tokenizer's noise in miniature (paper 5.1.3, Figure 5): which runs there are.

    noise   LatentLM and DiT over tokenizers of fixed sigma, and over one of learned variance
    heads   GIVT, MAR, LatentLM on a sphere, and VQ codes, on one tokenizer
    sizes   LatentLM and DiT, smaller and larger than in the rest

All generators get the same compute, counted in operations of training, and the same latents. The
runs of the first seed come first, so that a study that is stopped has whole curves.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from latentspeech.core.config import Config
from latentvision.data.sources.config import SourceConfig

Part = Literal["noise", "heads", "sizes"]
LEARNED, CODES = "learned", "vq"
HEADS = ("givt", "mar", "sphere", "vq")
TWINS = ("lm", "dit")


class StudyConfig(Config):
    """Everything that the study's numbers depend on."""

    train_source: SourceConfig = Field(description="pictures to train on")
    valid_source: SourceConfig = Field(description="pictures to measure the distance from")
    tokenizer: Path = Field(description="YAML of the tokenizer runs, beside this file")
    generator: Path = Field(description="YAML of the generator runs, beside this file")
    sigmas: tuple[float, ...] = Field(description="fixed sigmas of the tokenizers")
    head_sigma: float = Field(description="the one of them for heads and sizes")
    num_codes: int = Field(512, ge=2, description="codes of the VQ tokenizer")
    kl_weight: float = Field(gt=0, description="of the learned variance")
    seeds: tuple[int, ...] = Field(description="seeds of the generators")
    widths: Mapping[str, int] = Field(description="name -> model_dim; 'medium' is the study's own")
    compute_tflop: float = Field(gt=0, description="operations of each training, in 1e12")
    num_shards: int = Field(ge=1, description="shards of the training pictures whose latents count")
    cfg_scales: tuple[float, ...] = Field(description="guidance scales of the samples")
    per_class: int = Field(ge=1, description="samples of each class and scale")
    max_reference: int = Field(ge=1, description="pictures that the distance is measured from")


class Run(NamedTuple):
    """One generator of the study."""

    part: Part
    tokenizer: str  # sigma_0.75, learned or vq
    model: str  # one of TWINS or HEADS
    size: str
    seed: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.tokenizer}-{self.model}-{self.size}-{self.seed}"


def sigma_name(sigma: float) -> str:
    """The name of the tokenizer of a fixed sigma."""
    return f"sigma_{sigma:g}"


def all_runs(study: StudyConfig) -> Iterator[Run]:
    """Every run, those of the first seed first."""
    at = sigma_name(study.head_sigma)
    for seed in study.seeds:
        for tokenizer in (*map(sigma_name, study.sigmas), LEARNED):
            for model in TWINS:
                yield Run("noise", tokenizer, model, "medium", seed)
        for head in HEADS:
            yield Run("heads", CODES if head == CODES else at, head, "medium", seed)
        for size in study.widths:
            for model in TWINS if size != "medium" else ():
                yield Run("sizes", at, model, size, seed)


def posterior_settings(study: StudyConfig, tokenizer: str) -> dict[str, Any]:
    """The posterior of a tokenizer by its name, as a run's YAML has it."""
    if tokenizer == LEARNED:
        return {"kind": "learned", "kl_weight": study.kl_weight}
    if tokenizer == CODES:
        return {"kind": "vq", "num_codes": study.num_codes}
    return {"kind": "fixed", "sigma_std": float(tokenizer.removeprefix("sigma_"))}


def model_settings(study: StudyConfig, run: Run, base: Mapping[str, Any]) -> dict[str, Any]:
    """The model of a run, from LatentLM's settings in the generator's YAML."""
    width = study.widths[run.size]
    backbone = {**base["backbone"], "model_dim": width, "ffn_dim": 4 * width}
    head = {"head_layers": base["head_layers"], "head_ffn_dim": 2 * width}
    match run.model:
        case "lm":
            return {"kind": "lm", "backbone": backbone, **head}
        case "sphere":
            return {"kind": "lm", "backbone": backbone, **head, "fixed_norm": True}
        case "dit":
            return {"kind": "dit", "backbone": {**backbone, "ffn_dim": 8 * width // 3}}
        case "mar":
            return {"kind": "mar", "backbone": backbone, **head, "num_class_tokens": 4}
    return {"kind": run.model, "backbone": backbone}

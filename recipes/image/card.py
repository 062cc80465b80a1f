"""The card of an image model: every figure is read from a measurement or from the run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from latentspeech.core.config import Config, parse_config, read_yaml
from latentspeech.core.eval.report import EvalReport, MetricResult
from latentspeech.core.train.state.checkpoint import RunState
from latentvision.generation.generator import ImageSampling
from latentvision.training.generator_run import GeneratorRunConfig

_LIMITS = """## Limits

- It draws the classes above and nothing else, in the manner of its training pictures.
- A sample can be misshapen, or look like another class. Guidance makes samples clearer and more
  alike; `--cfg-scale 1` is without it.
- What the data leave out the model does not know: it stands for no other pictures of such things.

## Not for

- Passing samples off as photographs, or as evidence of what a product looks like.
- Judging people, goods or anything else by the likelihood of a picture."""


class Sweep(Config):
    """sweep.json of stage 8."""

    best_cfg_scale: float | None = Field(description="scale of the smallest first distance")
    decided_by: str | None = Field(description="that distance")
    values: dict[str, dict[str, float]] = Field(description="metric -> scale -> value")
    holes: dict[str, str] = Field(description="metrics that could not be measured, and why")


@dataclass(frozen=True)
class Made:
    """A model and how it was made."""

    run: GeneratorRunConfig
    class_names: tuple[str, ...]
    sampling: ImageSampling
    data: str  # where the pictures come from, and their licence
    command: str
    trainings: Mapping[str, RunState]  # by the part that was trained


def read_sweep(scores: Path) -> Sweep:
    """Reads sweep.json of the folder of stage 8."""
    return parse_config(Sweep, read_yaml(scores / "sweep.json"), origin=str(scores))


def scores_of_scale(scores: Path, cfg_scale: float) -> EvalReport | None:
    """The report of one scale; None if no samples were drawn at it."""
    path = scores / f"cfg_{cfg_scale:g}.json"
    return EvalReport.read(path) if path.is_file() else None


def table_of_scales(sweep: Sweep) -> str:
    """The metrics over the guidance scales, in Markdown."""
    scales = sorted({scale for values in sweep.values.values() for scale in values}, key=float)
    lines = []
    if scales:
        lines += ["| cfg_scale | " + " | ".join(scales) + " |", "|---" * (len(scales) + 1) + "|"]
    for name, values in sweep.values.items():
        cells = [f"{values[scale]:.3g}" if scale in values else "none" for scale in scales]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += [f"\nNot measured: {name}: {reason}" for name, reason in sweep.holes.items()]
    return "\n".join(lines)


def card(made: Made, copies: EvalReport, scores: EvalReport | None) -> str:
    """README.md of the model directory."""
    run, sampling = made.run, made.sampling
    names = ", ".join(made.class_names[:20])
    if len(made.class_names) > 20:
        names += f" and {len(made.class_names) - 20} more"
    lines = [
        f"# Image generator, kind {run.model.kind}\n",
        "Draws pictures of a class: a sigma-VAE turns a picture into a few continuous latents, and "
        "this model writes them (Multimodal Latent Language Modeling with Next-Token Diffusion, "
        f"arXiv 2412.08635). Classes: {names}.\n",
        "```bash",
        f'latentvision sample --model DIR --label "{made.class_names[0]}" --num 16 --out grid.png',
        "```\n",
        f"By default cfg_scale {sampling.cfg_scale:g}, {sampling.num_steps} solver steps.\n",
        "## Training\n",
        f"- data: {made.data}",
        f"- command: `{made.command}`",
    ]
    for name, state in made.trainings.items():
        lines.append(
            f"- {name}: {state.step} steps, {state.seconds / 3600:.2f} h on {state.world_size} "
            f"process(es), commit {state.git_commit or 'unknown'}; averaged weights"
        )
    lines += ["\n## Scores\n", "| what | metric | value | reference |", "|---|---|---|---|"]
    lines += [_row("copies by the tokenizer", metric) for metric in copies.metrics]
    if scores is not None:
        drawn = f"samples, cfg_scale {sampling.cfg_scale:g}"
        lines += [_row(drawn, metric) for metric in scores.metrics]
    return "\n".join([*lines, "", _LIMITS]) + "\n"


def _row(what: str, metric: MetricResult) -> str:
    if metric.value is None:
        return f"| {what} | {metric.name} | not measured: {metric.hole} | |"
    value = f"{metric.value:.4g} {metric.unit}".strip()
    if metric.interval is not None:
        value += f" ({metric.interval[0]:.4g} to {metric.interval[1]:.4g})"
    return (
        f"| {what} | {metric.name} | {value}, {metric.num_scored} images | {metric.held_against} |"
    )

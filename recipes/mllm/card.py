"""The card of a model of pages: every figure is read from a measurement or from the run."""

from collections.abc import Sequence
from dataclasses import dataclass

from latentspeech.core.eval.report import EvalReport
from latentvision.mllm.models.sampling import PageSampling
from recipes.image.card import Sweep, table_of_scales

_LIMITS = """## Limits

- It draws, names and answers about things like those of its training pages, in their manner.
- A sample can be misshapen or show something else; an answer or a description can be wrong. Nothing
  it writes is checked.

## Not for

- Descriptions that somebody relies on, such as of medicine, food or traffic.
- Passing samples off as photographs."""


@dataclass(frozen=True)
class Made:
    """A model and how it was made."""

    kind: str
    sampling: PageSampling
    data: str  # where the pages come from, and whether a model of them may ship
    command: str
    trainings: Sequence[str]


def card(made: Made, scores: EvalReport, sweep: Sweep) -> str:
    """README.md of the model directory."""
    lines = [
        f"# Model of text and pictures, kind {made.kind}\n",
        "Draws what a text says, describes pictures and answers questions about them (Multimodal "
        "Latent Language Modeling with Next-Token Diffusion, arXiv 2412.08635).\n",
        "```bash",
        'latentvision draw --model DIR --text "a red apple" --num 4 --out apples.png',
        "latentvision caption --model DIR apples.png",
        'latentvision ask --model DIR apples.png --question "What is it?"',
        "```\n",
        f"By default cfg_scale {made.sampling.cfg_scale:g}, {made.sampling.num_steps} steps.\n",
        "## Training\n",
        f"- data: {made.data}",
        f"- command: `{made.command}`",
        *(f"- {line}; averaged weights" for line in made.trainings),
        "\n## Scores on pages kept aside\n",
        "| metric | value | pages |\n|---|---|---|",
    ]
    for metric in scores.metrics:
        value = "not measured" if metric.value is None else f"{metric.value:.4g}"
        if metric.interval is not None:
            value += f" ({metric.interval[0]:.4g} to {metric.interval[1]:.4g})"
        lines.append(f"| {metric.name} | {value} | {metric.num_scored} |")
    lines += ["\n## Samples of captions kept aside\n", table_of_scales(sweep), "", _LIMITS]
    return "\n".join(lines) + "\n"

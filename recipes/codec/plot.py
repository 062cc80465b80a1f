"""Draws spectrograms of originals and of their copies, from folders of recipes.codec.check.

Each picture shows one utterance: the original on top, below it the copy of each
`--check LABEL=FOLDER` with its scores. The PNGs have few colours, so that they are small enough for
a repository.
"""

import argparse
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from latentspeech.audio.io import load_audio
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.eval.report import EvalReport, ItemResult
from latentspeech.core.storage.files import atomic_path

SAMPLE_RATE = 24_000
WINDOW_S = 0.040  # resolves the harmonics of a low voice
HOP_S = 0.005
RANGE_DB = 70.0  # shown below the loudest point of the original
MAX_HZ = 6000.0  # with a larger one, single harmonics would not be seen
COLOURS = 40
MAX_BYTES = 300_000
SCORES = ("PESQ-WB", "STOI", "ViSQOL-speech", "Mel-DAC-class")


@dataclass(frozen=True)
class Check:
    """A folder of recipes.codec.check and the label of its copies."""

    label: str
    folder: Path

    def report(self, group: str) -> EvalReport:
        """The scores of a group's copies."""
        return EvalReport.read(self.folder / group / "scores.json")


def parse_checks(texts: Sequence[str]) -> list[Check]:
    """Parses LABEL=FOLDER texts, or a single FOLDER."""
    checks = []
    for text in texts:
        label, separator, folder = text.rpartition("=")
        if not separator and len(texts) > 1:
            raise ConfigError(f"--check {text}: name each of several folders, as LABEL=FOLDER")
        checks.append(Check(label or "copy", Path(folder)))
    return checks


def find_groups(folder: Path) -> list[str]:
    """The groups that were checked there; "" is the one without a name."""
    paths = [*folder.glob("scores.json"), *folder.glob("*/scores.json")]
    if not paths:
        raise DataError(f"{folder} has no scores.json; run recipes.codec.check")
    named = sorted(path.parent.name for path in paths if path.parent != folder)
    return named or [""]


def choose_utterances(
    report: EvalReport, number: int, min_s: float, max_s: float
) -> list[ItemResult]:
    """The first utterances in the list, at most `number`, each of another speaker."""
    chosen: dict[str | None, ItemResult] = {}
    for utterance in report.items:
        if min_s <= (utterance.facts.get("duration_s", 0)) <= max_s:
            chosen.setdefault(utterance.group, utterance)
    return list(chosen.values())[:number]


def spectrogram_db(audio: Tensor) -> Tensor:
    """Audio (T,) -> decibels (F, N) below MAX_HZ."""
    window = torch.hann_window(round(WINDOW_S * SAMPLE_RATE))
    size = 2 ** len(window).bit_length()  # at least the window, and a fast length
    spectrum = torch.stft(
        audio,
        size,
        hop_length=round(HOP_S * SAMPLE_RATE),
        win_length=len(window),
        window=window,
        return_complex=True,
    )
    top = round(MAX_HZ / SAMPLE_RATE * size)
    return 20 * spectrum[: top + 1].abs().clamp_min(1e-8).log10()


def draw(rows: Sequence[tuple[str, Tensor]], title: str, out: Path) -> None:
    """Draws a PNG of labelled audio (T,), one under the other, on the first one's colour scale."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        len(rows),
        1,
        figsize=(8, 0.5 + 2.6 * len(rows)),
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    loudest = float(spectrogram_db(rows[0][1]).max())
    for panel, (label, audio) in zip(panels.flat, rows, strict=True):
        panel.imshow(
            spectrogram_db(audio).numpy(),
            origin="lower",
            aspect="auto",
            extent=(0, len(audio) / SAMPLE_RATE, 0, MAX_HZ / 1000),
            vmin=loudest - RANGE_DB,
            vmax=loudest,
            cmap="magma",
        )
        panel.set_title(label, fontsize=9, loc="left")
        panel.set_ylabel("kHz", fontsize=8)
        panel.tick_params(labelsize=8)
    panels[-1, 0].set_xlabel("s", fontsize=8)
    figure.suptitle(title, fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110)
    pyplot.close(figure)
    write_small_png(buffer, out)


def write_small_png(picture: io.BytesIO, out: Path) -> None:
    """Writes the picture in COLOURS colours; DataError if the file exceeds MAX_BYTES."""
    from PIL import Image

    few = Image.open(picture).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    with atomic_path(out) as temporary:
        few.save(temporary, format="PNG", optimize=True)
    size = out.stat().st_size
    if size > MAX_BYTES:
        raise DataError(f"{out} has {size} bytes, more than {MAX_BYTES}; give a lower --max_s")


def draw_utterance(checks: Sequence[Check], group: str, utterance_id: str, out: Path) -> None:
    """Draws the original and every check's copy of one utterance."""
    rows: list[tuple[str, Tensor]] = []
    about = utterance_id
    for check in checks:
        folder = check.folder / group
        found = [u for u in check.report(group).items if u.id == utterance_id]
        if not found:
            raise DataError(f"{folder} has no copy of {utterance_id}; check the same cuts in all")
        utterance = found[0]
        if not rows:
            original = load_audio(folder / "ref" / f"{utterance_id}.wav", SAMPLE_RATE)
            rows.append(("original", original))
            about = f"{utterance.group or utterance_id}: {utterance.text or ''}"
        copy = load_audio(folder / "hyp" / f"{utterance_id}.wav", SAMPLE_RATE)
        scores = [
            f"{name} {utterance.scores[name].value:.2f}"
            for name in SCORES
            if name in utterance.scores
        ]
        rows.append((", ".join([check.label, *scores]), copy))
    draw(rows, about[:100], out)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check",
        nargs="+",
        required=True,
        help="folder of recipes.codec.check, or LABEL=FOLDER of several",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for GROUP_NUMBER.png")
    parser.add_argument("--number", type=int, default=2, help="utterances of each group")
    parser.add_argument("--min_s", type=float, default=2.0, help="shortest utterance to draw")
    parser.add_argument("--max_s", type=float, default=4.0, help="longest utterance to draw")
    arguments = parser.parse_args()
    checks = parse_checks(arguments.check)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for group in find_groups(checks[0].folder):
        report = checks[0].report(group)
        chosen = choose_utterances(report, arguments.number, arguments.min_s, arguments.max_s)
        if not chosen:
            raise DataError(
                f"no utterance of {checks[0].folder / group} lasts {arguments.min_s:g} to "
                f"{arguments.max_s:g} s; change --min_s and --max_s"
            )
        for number, utterance in enumerate(chosen, 1):
            path = arguments.out / f"{group or 'test'}_{number}.png"
            draw_utterance(checks, group, utterance.id, path)
            print(path)


if __name__ == "__main__":
    run_recipe(main)

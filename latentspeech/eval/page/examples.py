"""The utterances that a page plays, worst first, and what it shows about each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentspeech.core.eval.report import EvalReport, ItemResult, MetricResult
from latentspeech.eval.page.audio import MAX_SECONDS, Clip, read_clip, spectrograms
from latentspeech.eval.page.plots import number

_MAX_HEARD = 300  # characters; a recogniser that repeats itself writes thousands
_ROLES = {"reference": "reference", "hypothesis": "under test", "prompt": "voice prompt"}


@dataclass
class AudioBudget:
    """The number of bytes of audio that still fit into a page."""

    left: int

    def take(self, clips: Sequence[Clip]) -> bool:
        """Returns whether all of them fit; if so, subtracts their size."""
        size = sum(len(clip.flac) for clip in clips)
        if size > self.left:
            return False
        self.left -= size
        return True


@dataclass(frozen=True)
class Ranking:
    """Utterances, worst first; `metrics` holds the metric that they are sorted by, or nothing."""

    name: str
    metrics: list[MetricResult]
    utterances: list[ItemResult]


def worst_first(report: EvalReport) -> Ranking:
    """Sorts by WER if there is one, else by the first metric with scores.

    Utterances without a score come last.
    """
    measured = [metric for metric in report.metrics if metric.num_scored]
    chosen = next((m for m in measured if m.key.startswith("wer")), None)
    chosen = chosen or next(iter(measured), None)
    if chosen is None:
        return Ranking("list", [], list(report.items))
    name, sign = chosen.name, 1 if chosen.higher_is_better else -1
    scored = [u for u in report.items if name in u.scores]
    scored.sort(key=lambda utterance: sign * utterance.scores[name].value)
    return Ranking(name, [chosen], scored + [u for u in report.items if name not in u.scores])


def make_examples(
    report: EvalReport,
    utterances: Sequence[ItemResult],
    audio_root: Path,
    num_examples: int,
    budget: AudioBudget,
) -> dict[str, Any]:
    """Returns the template's values `examples` and `examples_note`."""
    examples: list[dict[str, Any]] = []
    full = False
    for utterance in utterances[:num_examples]:
        clips, missing = _read(utterance, audio_root)
        full = not budget.take(clips)
        if full:
            break
        examples.append(_example(report, utterance, clips, missing))
    shown = f"{len(examples)} of {len(utterances)} utterances have players"
    reason = "; no more audio fits into the page" if full else ""
    scale = "Spectrograms of one utterance share their axes and their scale, light is loud"
    return {"examples": examples, "examples_note": f"{shown}{reason}. {scale}."}


def _read(utterance: ItemResult, audio_root: Path) -> tuple[list[Clip], list[str]]:
    clips: list[Clip] = []
    missing: list[str] = []
    for field, role in _ROLES.items():
        path = _path(utterance, field)
        if path is None:
            continue
        found = read_clip(role, audio_root / path)
        if isinstance(found, Clip):
            clips.append(found)
        else:
            missing.append(found)
    return clips, missing


def _path(utterance: ItemResult, role: str) -> str | None:
    files = {"hypothesis": utterance.hypothesis, "reference": utterance.reference}
    return files[role] if role in files else utterance.facts.get(role)


def _example(
    report: EvalReport, utterance: ItemResult, clips: list[Clip], missing: list[str]
) -> dict[str, Any]:
    compared = [clip for clip in clips if clip.role != _ROLES["prompt"]]
    drawn = spectrograms(compared, utterance.id) if compared else []
    pictures = dict(zip(map(id, compared), drawn, strict=True))
    duration_s = utterance.facts.get("duration_s")
    known = [
        utterance.group and f"speaker {utterance.group}",
        utterance.facts.get("sex"),
        duration_s and f"{duration_s:.1f} s",
    ]
    return {
        "id": utterance.id,
        "about": ", ".join(part for part in known if part),
        "scores": [
            f"{metric.name} {number(utterance.scores[metric.name].value)} {metric.unit}".strip()
            for metric in report.metrics
            if metric.name in utterance.scores
        ],
        "transcript": utterance.text,
        "recognised": [
            (name, _shortened(score.details["recognised"]))
            for name, score in utterance.scores.items()
            if "recognised" in score.details
        ],
        "clips": [
            {"caption": _caption(clip), "address": clip.address, "picture": pictures.get(id(clip))}
            for clip in clips
        ],
        "missing": missing,
    }


def _shortened(text: str) -> str:
    rest = len(text) - _MAX_HEARD
    return text if rest <= 0 else f"{text[:_MAX_HEARD]} ... ({rest} more characters)"


def _caption(clip: Clip) -> str:
    return f"{clip.role}, first {MAX_SECONDS:g} s" if clip.cut else clip.role

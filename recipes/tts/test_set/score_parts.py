"""Scores of the parts of a test set: kinds of voices, short and longer sentences."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from latentspeech.core.eval.report import EvalReport, ItemResult
from latentspeech.data.cuts import read_cuts
from latentspeech.eval.metrics.audio_scorer import AudioScorer

MOST_WORDS_OF_SHORT = 5


def read_kinds_of_voice(cuts: Path) -> dict[str, str]:
    """{cut id: kind of voice} where the supervision names one."""
    kinds: dict[str, str] = {}
    for cut in read_cuts(cuts):
        custom = cut.supervisions[0].custom if cut.supervisions else None
        if custom and "kind_of_voice" in custom:
            kinds[cut.id] = str(custom["kind_of_voice"])
    return kinds


def parts_table(
    reports: Mapping[str, EvalReport], scorers: Sequence[AudioScorer], kinds: Mapping[str, str]
) -> str:
    """A table with a row for each part and a column for each metric of each kind of audio."""
    columns = [(audio, scorer) for scorer in scorers for audio in reports]
    names = [f"{scorer.name}, {audio}" for audio, scorer in columns]
    rows = [f"| part | utterances | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for part, belongs in _parts(kinds).items():
        chosen = {
            audio: [utterance for utterance in report.items if belongs(utterance)]
            for audio, report in reports.items()
        }
        count = max(len(utterances) for utterances in chosen.values())
        if count:
            cells = [_value(scorer, chosen[audio]) for audio, scorer in columns]
            rows.append(f"| {part} | {count} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _parts(kinds: Mapping[str, str]) -> dict[str, Callable[[ItemResult], bool]]:
    def of_kind(kind: str) -> Callable[[ItemResult], bool]:
        return lambda utterance: kinds.get(utterance.id) == kind

    parts = {f"{kind} voices": of_kind(kind) for kind in sorted(set(kinds.values()))}
    parts[f"up to {MOST_WORDS_OF_SHORT} words"] = _is_short
    parts["more words"] = lambda utterance: not _is_short(utterance)
    return parts


def _is_short(utterance: ItemResult) -> bool:
    return utterance.facts.get("num_words", 0) <= MOST_WORDS_OF_SHORT


def _value(scorer: AudioScorer, utterances: Sequence[ItemResult]) -> str:
    scores = [u.scores[scorer.name] for u in utterances if scorer.name in u.scores]
    return f"{scorer.aggregate(scores):.3f}" if scores else "none"

"""Counts the spoken sentences that ended too early, too late or not at all, with intervals."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from latentspeech.core.eval.report import Interval
from latentspeech.core.eval.statistics import CONFIDENCE
from latentspeech.core.eval.text_table import TextTable
from latentspeech.data.utterances import Utterance
from latentspeech.text.normalizer import normalize
from recipes.tts.expected_durations import DurationRule

STOP_FAILURE = "stop failure"
KINDS = (STOP_FAILURE, "runaway", "early end")
_SHOWN = 20


@dataclass(frozen=True)
class SpokenSentence:
    """One spoken sentence: how long it took and whether the model stopped by itself."""

    id: str
    text: str  # normalised
    voice: str
    prompt: str  # id of the recording that was the prompt
    seconds: float
    truncated: bool  # whether the model reached a limit of its length


@dataclass(frozen=True)
class Judge:
    """Decides which faults a sentence has, given how long it took."""

    rule: DurationRule
    too_long: float  # times the expected duration
    too_short: float

    def ratio(self, sentence: SpokenSentence) -> float:
        """The sentence's duration over its expected duration."""
        return sentence.seconds / self.rule.seconds(sentence.text, sentence.voice)

    def faults(self, sentence: SpokenSentence) -> list[str]:
        """The KINDS of fault that the sentence has; empty if it has none."""
        ratio = self.ratio(sentence)
        found = (sentence.truncated, ratio > self.too_long, ratio < self.too_short)
        return [kind for kind, is_so in zip(KINDS, found, strict=True) if is_so]

    def sentence(self) -> str:
        """The rule in words."""
        return (
            f"expected: {self.rule.pause_s:.2f} s + {self.rule.s_per_character:.4f} s a letter, "
            "times the rate of the voice; "
            f"runaway: more than {self.too_long:g} times that; early end: less than "
            f"{self.too_short:g} times"
        )


@dataclass(frozen=True)
class Row:
    """One model's sentences, or the recordings."""

    name: str
    layout: str | None  # None for the recordings, which no limit applies to
    sentences: Sequence[SpokenSentence]


def as_spoken(recordings: Sequence[Utterance]) -> list[SpokenSentence]:
    """Recordings as if a model had spoken them."""
    return [
        SpokenSentence(one.id, normalize(one.text), one.speaker, one.id, one.duration_s, False)
        for one in recordings
    ]


def counts(judge: Judge, sentences: Sequence[SpokenSentence]) -> dict[str, int]:
    """How many sentences have each kind of fault, and how many have "any"."""
    faults = [judge.faults(sentence) for sentence in sentences]
    found = {kind: sum(kind in of_one for of_one in faults) for kind in KINDS}
    return {**found, "any": sum(bool(of_one) for of_one in faults)}


def table(judge: Judge, rows: Sequence[Row]) -> str:
    """A table with a row for each model and a column for each kind of fault."""
    headings = ["model", "layout", "sentences", *(f"{kind}s" for kind in KINDS), "any of these"]
    lines = [
        [
            row.name,
            row.layout or "-",
            str(len(row.sentences)),
            *_cells(judge, row),
            _spread([judge.ratio(sentence) for sentence in row.sentences]),
        ]
        for row in rows
    ]
    caption = "Counts and shares; in brackets Wilson's 95% interval of the share."
    headings.append("time taken / expected: median (5% to 95%)")
    return TextTable(caption, headings, lines).to_markdown()


def examples(judge: Judge, row: Row) -> str:
    """A list of the faulty sentences, the furthest from their expected durations first."""
    found = [(judge.faults(one), judge.ratio(one), one) for one in row.sentences]
    bad = [(faults, ratio, one) for faults, ratio, one in found if faults]
    if not bad:
        return ""
    bad.sort(key=lambda item: -max(item[1], 1 / max(item[1], 1e-6)))
    lines = [f"{row.name}, {len(bad)} of {len(row.sentences)}:", ""]
    lines += [
        f"- {one.id} in the voice {one.voice}: {', '.join(faults)}; {one.seconds:.2f} s, "
        f"{ratio:.2f} of the expected: {one.text}"
        for faults, ratio, one in bad[:_SHOWN]
    ]
    hidden = len(bad) - _SHOWN
    return "\n".join(lines + ([f"- and {hidden} more, in stops.json"] if hidden > 0 else []))


def to_json(judge: Judge, row: Row) -> dict[str, object]:
    """The counts with their intervals, and the faults of each faulty sentence."""
    num = len(row.sentences)
    faults = {one.id: judge.faults(one) for one in row.sentences}
    return {
        "name": row.name,
        "layout": row.layout,
        "num_sentences": num,
        "counts": {
            kind: {"count": count, "share_95": wilson_interval(count, num)}
            for kind, count in counts(judge, row.sentences).items()
        },
        "faults": {name: kinds for name, kinds in faults.items() if kinds},
    }


def wilson_interval(successes: int, trials: int) -> Interval:
    """The 95% confidence interval of a proportion (Wilson, 1927, JASA 22(158)).

    Unlike value +- 1.96 standard errors, it is good where few or none of the trials succeed. It
    assumes independent trials; sentences in one voice are alike, so the interval is too narrow as a
    statement about other voices.
    """
    from scipy.stats import binomtest

    interval = binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def _cells(judge: Judge, row: Row) -> list[str]:
    cells = []
    for kind, count in counts(judge, row.sentences).items():
        low, high = wilson_interval(count, len(row.sentences))
        share = 100 * count / len(row.sentences)
        cells.append(f"{count}: {share:.1f}% ({100 * low:.1f} to {100 * high:.1f})")
        if row.layout is None and kind == STOP_FAILURE:
            cells[-1] = "-"
    return cells


def _spread(ratios: Sequence[float]) -> str:
    if len(ratios) < 2:
        return f"{ratios[0]:.2f}"
    edges = statistics.quantiles(ratios, n=20, method="inclusive")
    return f"{statistics.median(ratios):.2f} ({edges[0]:.2f} to {edges[-1]:.2f})"

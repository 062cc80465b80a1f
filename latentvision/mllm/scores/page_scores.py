"""All scores of a model of pages that need no other network, in one report.

    text                nats a token and a byte of pages kept aside (perplexity is exp of the first)
    picture to text     the same of captions after their picture
    captions            CIDEr-D of what the model says about pictures
    questions           share of right answers, and of yes/no answers, beside that of text alone;
                        VQA accuracy where several people answered

The paper's Table 3 prints 2.7 as "perplexity" of text, which is nats a token.
"""

import time
from collections.abc import Iterable, Sequence

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.eval.report import EvalReport, ItemResult, MetricResult
from latentspeech.core.eval.scorer import Score
from latentspeech.core.eval.statistics import CONFIDENCE, NUM_RESAMPLES
from latentspeech.core.eval.summary import summarise
from latentspeech.core.storage.provenance import describe_run
from latentvision.mllm.documents.config import PageSourceConfig, open_pages
from latentvision.mllm.documents.page import Page, Picture, Text
from latentvision.mllm.page_writer import PageWriter
from latentvision.mllm.scores.answers import YES_NO, Question, TextOnly, normalized, questions_of
from latentvision.mllm.scores.cider import cider_d
from latentvision.mllm.scores.ratio_scorer import RatioScorer
from latentvision.mllm.scores.text_losses import Counted, TextLoss, first_pages, text_losses
from latentvision.mllm.scores.vqa import vqa_accuracy

_VERSIONS = ("torch", "tokenizers")
_AT_ONCE = 16


class PageScoringConfig(Config):
    """Which pages are scored; a source that is left out leaves its scores out."""

    text: PageSourceConfig | None = Field(None, description="pages of text alone")
    pairs: PageSourceConfig | None = Field(None, description="pairs of pictures and captions")
    interleaved: PageSourceConfig | None = Field(None, description="pages of text and pictures")
    questions: PageSourceConfig | None = Field(None, description="questions about pictures")
    train_questions: PageSourceConfig | None = Field(
        None, description="questions of training, of which text alone knows the answers"
    )
    max_pages: int = Field(1000, ge=1, description="pages of each source, the first")
    max_tokens: int = Field(32, ge=1, description="most tokens of a caption or an answer")
    seed: int = Field(0, ge=0, description="of intervals")


class _Items:
    """Scores by item, and the scorers that made them."""

    def __init__(self) -> None:
        self.items: dict[str, ItemResult] = {}
        self.scorers: list[RatioScorer] = []

    def add(self, scorer: RatioScorer, scores: Iterable[tuple[str, str, Score]]) -> None:
        """Adds scores, each with the item's id and the text under test."""
        self.scorers.append(scorer)
        for key, text, score in scores:
            item = self.items.setdefault(key, ItemResult(key, "", text=text))
            item.scores[scorer.name] = score


def score_pages(writer: PageWriter, config: PageScoringConfig) -> EvalReport:
    """Measures a model on pages; a text-only twin is asked without the pictures.

    Raises:
        DataError: a source is missing or damaged.
    """
    started = time.monotonic()
    found = _Items()
    kinds: list[tuple[str, str, PageSourceConfig | None, Counted]] = [
        ("text", "Text", config.text, "all"),
        ("picture-to-text", "Picture to text", config.pairs, "described"),
        ("interleaved", "Interleaved", config.interleaved, "all"),
    ]
    for key, title, source, counted in kinds:
        if source is not None:
            losses = text_losses(writer, open_pages(source), config.max_pages, counted)
            _add_losses(found, key, title, losses)
    if config.pairs is not None:
        _add_captions(
            found, writer, first_pages(open_pages(config.pairs), config.max_pages), config
        )
    if config.questions is not None:
        _add_answers(found, writer, config, config.questions)
    items = list(found.items.values())
    metrics = [_summary(scorer, items, config.seed) for scorer in found.scorers]
    settings = {
        "seed": config.seed,
        "num_resamples": NUM_RESAMPLES,
        "confidence": CONFIDENCE,
        "model": writer.name,
        **config.model_dump(mode="json"),
    }
    run = describe_run(time.monotonic() - started, 1, _VERSIONS)
    return EvalReport(metrics, items, [], settings, run, item_name="page", group_name="group")


def _summary(scorer: RatioScorer, items: Sequence[ItemResult], seed: int) -> MetricResult:
    own = [item for item in items if scorer.name in item.scores]
    return summarise(
        scorer,
        own,
        {},
        key=scorer.key,
        description=scorer.describe(),
        hole=None,
        seed=seed,
        num_resamples=NUM_RESAMPLES,
    )


def _add_losses(found: _Items, key: str, title: str, losses: Sequence[TextLoss]) -> None:
    by_token, by_byte = (
        RatioScorer(f"{key}-nats-{per}", f"{title}, nats a {per}", "", "the page's text", {})
        for per in ("token", "byte")
    )
    found.add(by_token, [(x.key, "", by_token.score(x.nats, x.num_tokens)) for x in losses])
    found.add(by_byte, [(x.key, "", by_byte.score(x.nats, x.num_bytes)) for x in losses])


def _add_captions(
    found: _Items, writer: PageWriter, pages: Iterable[Page], config: PageScoringConfig
) -> None:
    pairs = [
        (page.key, part, texts)
        for page in pages
        for part in page.parts
        if isinstance(part, Picture) and part.content is not None
        if (texts := [text.text for text in page.parts if isinstance(text, Text)])
    ]
    written: list[str] = []
    for start in range(0, len(pairs), _AT_ONCE):
        pictures = [picture.decode() for _, picture, _ in pairs[start : start + _AT_ONCE]]
        written += writer.captions(pictures, max_tokens=config.max_tokens)
    about = {"words": "lower-case words without punctuation", "num_references": 1}
    scorer = RatioScorer("cider-d", "CIDEr-D", "", "the captions", about, higher_is_better=True)
    values = cider_d(written, [texts for _, _, texts in pairs])
    rows = zip(pairs, written, values, strict=True)
    found.add(
        scorer,
        [(f"{key}/caption", text, scorer.score(value)) for (key, _, _), text, value in rows],
    )


def _add_answers(
    found: _Items, writer: PageWriter, config: PageScoringConfig, source: PageSourceConfig
) -> None:
    pages = first_pages(open_pages(source), config.max_pages)
    asked = [one for one in questions_of(pages) if one.picture.content is not None]
    written: list[str] = []
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        sees = writer.description.reads_pictures
        pictures = [one.picture.decode() if sees else None for one in some]
        texts = [one.text for one in some]
        written += writer.answers(pictures, texts, max_tokens=config.max_tokens)
    _add_hits(found, "Answers right", asked, written)
    if config.train_questions is not None:
        blind = TextOnly(first_pages(open_pages(config.train_questions), 2**62))
        answers = [blind.answer(one.text) for one in asked]
        _add_hits(found, "Answers right by text alone", asked, answers)


def _add_hits(found: _Items, title: str, asked: Sequence[Question], answers: Sequence[str]) -> None:
    """The share of right answers, of all and of those that are yes or no."""
    rows = list(zip(asked, answers, strict=True))
    yes_no = [row for row in rows if normalized(row[0].answer) in YES_NO]
    for name, some in ((title, rows), (f"{title}, yes/no", yes_no)):
        scorer = RatioScorer(_key(name), name, "", "the answers", {}, higher_is_better=True)
        hits = [(one, answer, normalized(answer) == normalized(one.answer)) for one, answer in some]
        if hits:
            scores = [(one.key, answer, scorer.score(float(hit))) for one, answer, hit in hits]
            found.add(scorer, scores)
    judged = [(one, answer) for one, answer in rows if len(one.given) > 1]
    if judged:
        name = title.replace("Answers right", "VQA accuracy")
        about = {"rule": "mean over nine of ten answers of min(n / 3, 1)"}
        scorer = RatioScorer(_key(name), name, "", "the answers", about, higher_is_better=True)
        accuracies = [
            (one.key, answer, scorer.score(vqa_accuracy(answer, one.given)))
            for one, answer in judged
        ]
        found.add(scorer, accuracies)


def _key(name: str) -> str:
    return name.lower().replace(",", "").replace("/", "-").replace(" ", "-")

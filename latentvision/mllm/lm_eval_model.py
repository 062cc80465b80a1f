"""A model of pages as a model of `lm-eval`, for language tasks as in the paper's Table 7.

    lm_eval.simple_evaluate(EvalModel(writer), tasks=["arc_easy"], task_manager=...)

A request is a page of text: page_begin, the tokens of the context, and those under test. Where a
page is longer than a row of the model, loglikelihood keeps its end, and loglikelihood_rolling cuts
it as training does: each token counts once, after at least one other. Package lm-eval must be
installed (the extra `language`).

B rows, T elements, V vocabulary.
"""

from collections.abc import Sequence
from typing import Any

import torch
from lm_eval.api.model import LM
from torch import Tensor
from torch.nn import functional

from latentspeech.core.errors import InputError
from latentspeech.core.lm.mixed_batch import cut
from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentspeech.core.lm.sampling.generate import token_span
from latentspeech.core.tensors import make_generator
from latentvision.mllm.page_writer import PageWriter

_MAX_TOKENS = 256  # of a generation, where the task does not say


class EvalModel(LM):
    """Answers the three kinds of requests of lm-eval with a model of pages."""

    def __init__(self, writer: PageWriter, batch_size: int = 16) -> None:
        """Args: `batch_size` pages are scored at once."""
        super().__init__()
        self._writer = writer
        self._batch_size = batch_size

    def loglikelihood(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """The log-probability of each continuation after its context, and whether greedy gives it.

        Raises:
            InputError: a continuation is empty, or longer than a row of the model.
        """
        return self._score([self._pair(*request.args) for request in requests])

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """The log-probability of each whole text."""
        found = []
        for (text,) in (request.args for request in requests):
            pieces = cut(self._page([], self._encode(text)), self._row_length)
            found.append(sum(value for value, _ in self._score(pieces)))
        return found

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """The text that follows each context, up to the first stop string of its request."""
        return [self._generate(*request.args) for request in requests]

    @property
    def _row_length(self) -> int:
        return self._writer.description.row_length

    def _encode(self, text: str) -> list[int]:
        return [int(number) for number in self._writer.sequences.tokenizer.encode(text)]

    def _page(self, context: Sequence[int], continuation: Sequence[int]) -> MixedSequence:
        begin = [self._writer.vocabulary.page_begin]
        return [token_span([*begin, *context]), token_span(continuation, target=True)]

    def _pair(self, context: str, continuation: str) -> MixedSequence:
        """The page of a request; spaces at the context's end belong to the continuation."""
        stripped = context.rstrip()
        before = self._encode(stripped)
        tested = self._encode(stripped + context[len(stripped) :] + continuation)[len(before) :]
        if not 0 < len(tested) < self._row_length:
            raise InputError(
                f"a continuation of {len(tested)} tokens ({continuation[:40]!r}); expected 1 to "
                f"{self._row_length - 1}, the model's row but for one element: leave the task out"
            )
        room = self._row_length - 1 - len(tested)
        return self._page(before[max(0, len(before) - room) :], tested)

    @torch.inference_mode()
    def _score(self, pages: Sequence[MixedSequence]) -> list[tuple[float, bool]]:
        found: list[tuple[float, bool]] = []
        for start in range(0, len(pages), self._batch_size):
            batch = self._writer.model.batch(pages[start : start + self._batch_size])
            model = self._writer.model
            x, block_ids = model.inputs(batch)
            hidden = model.lm.backbone(x, batch.segment_ids, block_ids)  # (B, T, d)
            for row, ids, tested in zip(hidden, batch.token_ids, batch.targets, strict=True):
                places = tested.nonzero().squeeze(1)
                logits = model.lm.token_logits(row[places - 1]).float()  # (n, V)
                found.append(_judged(logits, ids[places]))
        return found

    def _generate(self, context: str, settings: dict[str, Any]) -> str:
        stops = settings.get("until") or []
        stops = [stops] if isinstance(stops, str) else stops
        most = int(settings.get("max_gen_toks", _MAX_TOKENS))
        ids = self._encode(context)[-max(1, self._row_length - 1 - most) :]
        writer = self._writer
        page = writer.model.read([*writer.begin(), *([token_span(ids)] if ids else [])])
        temperature = settings.get("temperature") if settings.get("do_sample") else 0.0
        sampling = writer.sampling(text_temperature=temperature)
        end, written = writer.vocabulary.page_end, list[int]()
        room = min(most, writer.room(page))
        streams = [make_generator(0, "lm_eval")]
        for (token,) in writer.model.write([page], frozenset([end]), sampling, room, streams):
            if token is None or token == end:
                break
            written.append(token)
            text = writer.sequences.tokenizer.decode(written)
            if any(stop in text for stop in stops):
                break
        return _up_to(writer.sequences.tokenizer.decode(written), stops)


def _judged(logits: Tensor, wanted: Tensor) -> tuple[float, bool]:
    """The sum of log-probabilities of tokens (n,) by logits (n, V), and whether all are greedy."""
    nats = functional.cross_entropy(logits, wanted, reduction="sum")
    return -float(nats), bool((logits.argmax(dim=1) == wanted).all())


def _up_to(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop string."""
    places = [text.index(stop) for stop in stops if stop and stop in text]
    return text[: min(places)] if places else text

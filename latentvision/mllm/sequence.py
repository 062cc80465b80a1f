"""A page as one sequence of tokens and latents (paper section 3, appendix D).

    page_begin  text  BOI latents EOI  text  ...  page_end
    page_begin  BOI latents EOI  question What is it?  answer A dog.  page_end

The latents of a picture are clean, so one pass learns to read it and to draw it. What is learned:

    text, latents, BOI, page_end   targets
    EOI                            no target: it must come after the fixed number of latents
    speech, its BOD and EOD        targets: the model ends speech
    a question                     no target: the user asks it
    the mark question              a target after an answer, whose end it is; else none
    the mark answer                no target: it is given
    page_begin                     no target

Speech is a second modality, whose latents stand between BOD and EOD of its own. In a model of codes
(VQ) the codes stand in place of a picture's latents, as tokens.

n pictures of the page, N latents of a picture, D latent size.
"""

import torch
from torch import Tensor

from latentspeech.core.errors import DataError
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan
from latentspeech.core.lm.sampling.generate import token_span
from latentvision.mllm.documents.page import Page, Picture, Speech, Text
from latentvision.mllm.pictures import PictureEncoder
from latentvision.mllm.speech_latents import SpeechLatents
from latentvision.mllm.tokens.text_tokenizer import TextTokenizer
from latentvision.mllm.tokens.vocabulary import Vocabulary, make_vocabulary

IMAGE, SPEECH = 0, 1  # indices of the modalities


class PageSequences:
    """Makes sequences of pages with one text tokenizer and one encoder of pictures."""

    def __init__(
        self,
        tokenizer: TextTokenizer,
        encoder: PictureEncoder,
        num_codes: int | None = None,
        speech: SpeechLatents | None = None,
    ) -> None:
        """Makes sequences.

        Args:
            tokenizer: of text.
            encoder: of pictures.
            num_codes: of the vocabulary; None: the encoder's, which are put into pages.
            speech: the latents of the recordings that pages name; None: pages have no speech.
        """
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.speech = speech
        codes = encoder.num_codes if num_codes is None else num_codes
        self.vocabulary = make_vocabulary(tokenizer.size, codes, speech is not None)

    @property
    def latent_dims(self) -> tuple[int, ...]:
        """The latent size of each modality."""
        of_speech = () if self.speech is None else (self.speech.latent_dim,)
        return (*self.encoder.latent_dims, *of_speech)

    @property
    def picture_elements(self) -> int:
        """Elements that a picture takes, BOI and EOI among them."""
        return self.encoder.num_latents + 2

    def speech_elements(self, name: str) -> int:
        """Elements that a recording takes, BOD and EOD among them.

        Raises:
            DataError: there are no latents of it.
        """
        return self._speech_latents(name).num_latents(name) + 2

    def sequence(self, page: Page, generator: torch.Generator, ends: bool = True) -> MixedSequence:
        """The sequence of a page whose pictures are decoded and shrunk.

        Args:
            page: the page as it is learned.
            generator: draws the samples of the posteriors of pictures and speech.
            ends: False if the page goes on after its last part; it has no page_end then.

        Raises:
            DataError: there are no latents of a recording that the page names.
        """
        pictures = [part.decode() for part in page.parts if isinstance(part, Picture)]
        latents = iter(self.encoder.encode(pictures, generator))  # n of (N, D) or (N,)
        spans: list[TokenSpan | LatentSpan] = [token_span([self.vocabulary.page_begin])]
        answered = False
        for part in page.parts:
            if isinstance(part, Text):
                spans += self._text(part, answered)
            elif isinstance(part, Speech):
                latents_of_speech = self._speech_latents(part.name).sample(part.name, generator)
                spans += speech_spans(self.vocabulary, latents_of_speech, target=True)
            else:
                spans += [
                    token_span([self.vocabulary.boi], target=True),
                    self._picture(next(latents)),
                    token_span([self.vocabulary.eoi]),
                ]
            answered = isinstance(part, Text) and part.mark == "answer"
        return [*spans, token_span([self.vocabulary.page_end], target=True)] if ends else spans

    def _speech_latents(self, name: str) -> SpeechLatents:
        if self.speech is None:
            raise DataError(
                f"a page has the recording {name}, and there are no latents of speech; give "
                "speech_latents and model.speech, or leave such pages out"
            )
        return self.speech

    def _picture(self, encoded: Tensor) -> TokenSpan | LatentSpan:
        """The span of latents (N, D) or of codes (N,)."""
        if self.encoder.num_codes:
            return TokenSpan(self.vocabulary.codes + encoded, target=True, whole=True)
        return LatentSpan(IMAGE, encoded, target=True, whole=True)

    def _text(self, part: Text, answered: bool) -> list[TokenSpan | LatentSpan]:
        ids = self.tokenizer.encode(part.text)
        match part.mark:
            case "plain":
                return [token_span(ids, target=True)]
            case "question":
                mark = token_span([self.vocabulary.question], target=answered)
                return [mark, token_span(ids)]
            case "answer":
                return [token_span([self.vocabulary.answer]), token_span(ids, target=True)]


def speech_spans(
    vocabulary: Vocabulary, latents: Tensor, target: bool = False
) -> list[TokenSpan | LatentSpan]:
    """Raw latents of speech (T, D) between their BOD and EOD."""
    assert vocabulary.speech is not None, "the model has no speech"
    return [
        token_span([vocabulary.speech.begin], target),
        LatentSpan(SPEECH, latents, target, whole=True),
        token_span([vocabulary.speech.end], target),
    ]

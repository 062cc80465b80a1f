"""Finds when each symbol of a known text is heard: a small frame classifier, and the best path.

For each frame the classifier gives the likelihoods of the tokenizer's symbols and of silence. The
symbols of the text, in their order, then take the path of greatest likelihood (Viterbi). The
classifier learned from the mini corpus, whose times are known, and follows its conventions: a pause
belongs to the punctuation mark or word space in it, and silence at the ends to the first and the
last symbol. `egs/mini/local/aligner/train.py` trains it, and `measure.py` beside that file measures
its errors.

B utterances, T frames, M mel bands, C classes (the tokenizer's ids, then silence), N symbols.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.audio.io import load_audio
from latentspeech.audio.mel import HOPS_PER_WINDOW, MelBank, MelScale
from latentspeech.core.config import Config, parse_config
from latentspeech.core.errors import DataError, InputError
from latentspeech.core.storage.model_directory import load_weights, read_model_config
from latentspeech.data.manifest import CorpusUtterance
from latentspeech.text.tokenizers import MisakiTokenizer

logger = logging.getLogger(__name__)

KIND = "symbol_aligner"
SHIPPED = Path(__file__).parent / "weights"
KERNEL = 5
# With its own text 1 in 50 recordings of people lies below this, with another text most do.
MIN_FIT = -1.2


class SymbolAlignerConfig(Config):
    """Sizes of the classifier and of its frames."""

    tokenizer_kind: str = Field("misaki", description="tokenizer whose symbols it knows")
    vocab_size: int = Field(ge=1, description="ids of that tokenizer")
    sample_rate: int = Field(24000, ge=1, description="sample rate of the audio, Hz")
    window_length: int = Field(1024, ge=4, description="samples; four times the hop")
    num_mels: int = Field(64, ge=1, description="M, mel bands")
    width: int = Field(160, ge=1, description="channels of a layer")
    dilations: tuple[int, ...] = Field((1, 2, 4, 6), description="dilation of each layer, frames")
    prior_weight: float = Field(0.5, ge=0, description="how much frequent symbols are held back")

    @property
    def frame_rate(self) -> float:
        """Frames a second, Hz."""
        return self.sample_rate * HOPS_PER_WINDOW / self.window_length


class SymbolAligner(nn.Module):
    """Convolutions over a log-mel spectrogram without its mean, and one softmax a frame."""

    log_prior: Tensor

    def __init__(self, config: SymbolAlignerConfig) -> None:
        super().__init__()
        self.config = config
        scale = MelScale(config.window_length, config.num_mels)
        self.mel = MelBank(scale, config.sample_rate)
        sizes = [config.num_mels, *[config.width] * len(config.dilations)]
        self.layers = nn.ModuleList(
            nn.Conv1d(*pair, KERNEL, padding=KERNEL // 2 * dilation, dilation=dilation)
            for pair, dilation in zip(pairwise(sizes), config.dilations, strict=True)
        )
        self.output = nn.Conv1d(config.width, config.vocab_size + 1, 1)
        self.register_buffer("log_prior", torch.zeros(config.vocab_size + 1))

    @property
    def silence_id(self) -> int:
        """The class of silence before and after the text."""
        return self.config.vocab_size

    @torch.no_grad()
    def features(self, audio: Tensor) -> Tensor:
        """Samples (S,) -> log mels (T, M), from which each band's mean is subtracted."""
        mels = self.mel(audio[None])[0]  # (T, M)
        return mels - mels.mean(dim=0)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, T, M) -> logits (B, T, C)."""
        x = features.transpose(1, 2)  # (B, M, T)
        for number, layer in enumerate(self.layers):
            y = functional.gelu(layer(x))
            x = x + y if number else y
        return self.output(x).transpose(1, 2)

    @torch.no_grad()
    def symbol_times(
        self, audio: Tensor, ids: Sequence[int]
    ) -> tuple[list[float], list[float], float]:
        """Seconds at which each of the N symbols begins and ends in samples (S,), and the fit.

        Silence before the first symbol and after the last one belongs to neither. The fit is the
        log likelihood of a frame on the path minus that of the frame's best class, as a mean over
        frames; it is near 0 where the text is what is said. Raises DataError where there are more
        symbols than frames.
        """
        scores = self(self.features(audio)[None])[0].log_softmax(dim=-1)  # (T, C)
        path = [self.silence_id, *ids, self.silence_id]
        weighted = scores - self.config.prior_weight * self.log_prior
        starts = best_path(weighted[:, path])
        owner = torch.zeros(len(scores), dtype=torch.long)
        for number, start in enumerate(starts):
            owner[start:] = number
        on_path = scores.gather(1, torch.tensor(path)[owner][:, None])[:, 0]
        fit = float((on_path - scores.max(dim=1).values).mean())
        # The middle of frame k is at k hops, so symbol n begins half a hop before its first one.
        seconds = [max(0.0, (start - 0.5) / self.config.frame_rate) for start in starts]
        duration_s = len(audio) / self.config.sample_rate
        seconds = [min(second, duration_s) for second in seconds]
        return seconds[1:-1], seconds[2:], fit

    def symbol_ends(self, audio: Tensor, ids: Sequence[int]) -> tuple[list[float], float]:
        """The ends by `symbol_times`, and the fit; the last symbol ends with the audio, (S,)."""
        _, ends, fit = self.symbol_times(audio, ids)
        return [*ends[:-1], len(audio) / self.config.sample_rate], fit


def best_path(scores: Tensor) -> list[int]:
    """The frame in which each of N states begins, by scores (T, N) and dynamic programming.

    The path begins in the first state, ends in the last and stays in each for at least one frame.
    """
    num_frames, num_states = scores.shape
    if num_frames < num_states:
        raise DataError(
            f"{num_states - 2} symbols in {num_frames} frames; the text is far too long for the "
            "recording: correct it"
        )
    best = torch.full((num_states,), -torch.inf)
    best[0] = scores[0, 0]
    came = torch.zeros(num_frames, num_states, dtype=torch.bool)  # from the state before
    for frame in range(1, num_frames):
        before = torch.cat((torch.tensor([-torch.inf]), best[:-1]))
        came[frame] = before > best
        best = torch.maximum(before, best) + scores[frame]
    starts = [0] * num_states
    state = num_states - 1
    for frame in range(num_frames - 1, 0, -1):
        if came[frame, state]:
            starts[state] = frame
            state -= 1
    return starts


def load_aligner(directory: Path = SHIPPED) -> SymbolAligner:
    """Reads a model directory of `aligner/train.py`, by default the one that ships."""
    values = read_model_config(directory, KIND)
    config = parse_config(SymbolAlignerConfig, values, origin=str(directory / "config.yaml"))
    aligner = SymbolAligner(config)
    load_weights(directory, aligner)
    return aligner


def add_times(
    items: Sequence[CorpusUtterance], corpus: Path
) -> tuple[list[CorpusUtterance], dict[str, str]]:
    """The utterances with the ends of their symbols, and, by id, why others are left out."""
    aligner = load_aligner()
    tokenizer = MisakiTokenizer()
    timed: list[CorpusUtterance] = []
    misfits: dict[str, str] = {}
    for number, item in enumerate(items, start=1):
        try:
            ids = tokenizer.encode(item.text)
            audio = load_audio(corpus / item.audio, aligner.config.sample_rate)
            ends, fit = aligner.symbol_ends(audio, ids)
        except (DataError, InputError) as error:
            misfits[item.id] = str(error)
            continue
        if fit < MIN_FIT:
            misfits[item.id] = f"the text does not seem to be what is said (fit {fit:.2f})"
            continue
        timed.append(replace(item, symbol_ends_s=tuple(round(end, 4) for end in ends)))
        if number % 100 == 0:
            logger.info("aligned %d of %d recordings", number, len(items))
    return timed, misfits

"""WavTokenizer: Encodec's encoder, one codebook, and a decoder after Vocos.

Ji et al. 2024, arXiv 2408.16532; the checkpoints trained on LibriTTS. The encoder and its names
are those of the `encodec` package, on which the authors' code is built.

T samples, F frames.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.eval.scorer import MetricUnavailable, package_version, require_packages
from latentspeech.core.eval.weight_files import load_strictly, load_tensors
from latentspeech.core.eval.weights import Weights, WeightSource, resolve
from recipes.codec_benchmark.codecs.contract import CodecAdapter, fit_length, fold_weight_norm
from recipes.codec_benchmark.codecs.wavtokenizer_decoder import CODE_DIM, Backbone, SpectrumHead

CODEBOOK_SIZE = 4096
_RATIOS = {75: (8, 5, 4, 2), 40: (6, 5, 5, 4)}
_ENCODER = "feature_extractor.encodec.encoder."
_CODEBOOK = "feature_extractor.encodec.quantizer.vq.layers.0._codebook.embed"


class Codebook(nn.Module):
    """Finds the nearest of 4096 vectors by Euclidean distance."""

    embed: Tensor  # (4096, 512)

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("embed", torch.randn(CODEBOOK_SIZE, CODE_DIM))

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, F, 512) to indices (B, F)."""
        return torch.cdist(vectors, self.embed[None]).argmin(dim=-1)


class WavTokenizerNet(nn.Module):
    """The whole network; backbone and head are named as in the checkpoint."""

    def __init__(self, ratios: tuple[int, ...], hop_length: int) -> None:
        super().__init__()
        from encodec.modules.seanet import SEANetEncoder

        with warnings.catch_warnings():  # the package uses torch's older weight norm
            warnings.simplefilter("ignore", FutureWarning)
            self.encoder = SEANetEncoder(dimension=CODE_DIM, ratios=list(ratios), lstm=2)
        self.codebook = Codebook()
        self.backbone = Backbone()
        self.head = SpectrumHead(hop_length)


class WavTokenizer(CodecAdapter):
    """24 kHz, 75 or 40 Hz, one codebook, not causal."""

    title = "WavTokenizer"
    sample_rate, num_quantizers, causal = 24_000, 1, False

    def __init__(self, frame_rate_hz: int, random_weights: bool = False) -> None:
        require_packages("WavTokenizer", {"encodec": "encodec"})
        if frame_rate_hz not in _RATIOS:
            raise ConfigError(f"WavTokenizer has 75 or 40 frames a second, not {frame_rate_hz}")
        self.name = f"wavtokenizer-{frame_rate_hz}"
        self.hop_length = self.sample_rate // frame_rate_hz
        self.source = WeightSource(
            name=self.name,
            repo="novateur/WavTokenizer",
            weights=(f"WavTokenizer_small_{self.hop_length}_24k_4096.ckpt",),
            licence="MIT",
            size_mb=1600,
        )
        found = self._find(random_weights)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self._net = WavTokenizerNet(_RATIOS[frame_rate_hz], self.hop_length).eval()
        if found is not None:
            self._load(found)
        fold_weight_norm(self._net)

    def encode(self, audio: Tensor) -> Any:
        """Audio (T,) to indices (1, F)."""
        return self._net.codebook(self._net.encoder(audio[None, None]).mT)

    def decode(self, codes: Any, num_samples: int) -> Tensor:
        """Indices to audio (num_samples,)."""
        vectors = self._net.codebook.embed[codes].mT  # (1, 512, F)
        audio = self._net.head(self._net.backbone(vectors))[0]
        return fit_length(audio, num_samples, self.hop_length)

    def parts(self) -> dict[str, list[nn.Module]]:
        """The network's parts, by side."""
        net = self._net
        return {
            "encoder": [net.encoder],
            "quantizer": [net.codebook],
            "decoder": [net.backbone, net.head],
        }

    def _find(self, random_weights: bool) -> Weights | None:
        """Returns the checkpoint, or None for random weights; sets `weights` to say which."""
        package = package_version("encodec")
        try:
            found = resolve(self.source)
        except MetricUnavailable as missing:
            if not random_weights:
                raise
            self.weights, self.hole = f"random; {package}", str(missing)
            return None
        if random_weights:
            self.weights, self.hole = f"random; {package}", "random weights were asked for"
            return None
        self.weights = f"{found.checkpoint()}; {package}"
        return found

    def _load(self, found: Weights) -> None:
        stored = load_tensors(found.path)
        if not isinstance(stored, dict) or not isinstance(stored.get("state_dict"), dict):
            raise CheckpointError(f"{found.path} has no `state_dict`; expected WavTokenizer's")
        load_strictly(self._net, translate(stored["state_dict"]), found.path)


def translate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors of the published checkpoint that copies need, by our names."""
    kept: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.startswith(_ENCODER):
            kept["encoder." + name.removeprefix(_ENCODER)] = tensor
        elif name == _CODEBOOK:
            kept["codebook.embed"] = tensor
        elif name.startswith(("backbone.", "head.out.")):
            kept[name] = tensor
    return kept

"""SpeechBrain's Conformer-Transducer, LibriSpeech 960 h (Ravanelli et al., 2021, arXiv 2106.04624).

The model is a Conformer encoder (Gulati et al., 2020, arXiv 2005.08100) with a transducer head. The
published model can also stream; here it sees the whole utterance and decodes greedily, for which
its card reports 2.72 on test-clean. The paper's WER-C uses the same kind of model but a different
one (NeMo's XL, 1.62 on the same set), so this metric has its own name, WER-C-SB.

T samples at 16 kHz, F encoder frames (25 a second).
"""

import re
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.device import CPU
from latentspeech.core.errors import CheckpointError
from latentspeech.core.eval.weight_files import first_lines, load_tensors
from latentspeech.core.eval.weights import Weights, WeightSource
from latentspeech.eval.models.recognisers.published import PublishedRecogniser
from latentspeech.eval.models.speechbrain_package import import_speechbrain

SPEECHBRAIN_TRANSDUCER = WeightSource(
    name="asr-streaming-conformer-librispeech",
    weights=("model.ckpt",),
    files=("hyperparams.yaml", "normalizer.ckpt", "tokenizer.ckpt"),
    repo="speechbrain/asr-streaming-conformer-librispeech",
    licence="Apache-2.0",
    size_mb=334,
)
# A HyperPyYAML file builds any Python object that it names; this model needs only these modules.
_TRUSTED = ("speechbrain.", "torch.nn.", "sentencepiece.")


class ConformerTransducer(PublishedRecogniser):
    """Runs the modules that hyperparams.yaml describes on whole utterances."""

    name = "conformer-transducer"
    metric = "WER-C-SB"
    model = "SpeechBrain Conformer-Transducer, LibriSpeech 960 h (not NeMo's, not WER-C)"
    decoding = "greedy, whole context, no language model"
    package = "speechbrain"

    def __init__(
        self, source: WeightSource = SPEECHBRAIN_TRANSDUCER, device: torch.device = CPU
    ) -> None:
        super().__init__(source, device)

    def _require_packages(self) -> None:
        import_speechbrain(self.metric)

    def _recognise_piece(self, piece: Tensor) -> str:
        model = self._model
        features = model.hparams.fea_streaming_extractor.module
        # The published decoding function is a partial of the searcher's streaming method.
        searcher = model.hparams.decoding_function.args[0]
        whole = torch.ones(1, device=self.device)  # relative length of the single row
        heard_features = features(piece[None].to(self.device), whole)
        encoded = model.mods.enc(heard_features, whole)  # (1, F, D)
        tokens, *_ = searcher.transducer_greedy_decode(model.mods.proj_enc(encoded))
        return str(model.hparams.tokenizer.decode_ids(tokens[0]))

    @cached_property
    def _model(self) -> Any:
        weights = self._weights
        _check_trusted(weights)
        from speechbrain.inference.ASR import StreamingASR
        from speechbrain.utils.fetching import LocalStrategy

        folder = str(weights.folder)
        try:
            model = StreamingASR.from_hparams(
                folder,
                local_strategy=LocalStrategy.NO_LINK,
                run_opts={"device": str(self.device)},
            )
        except Exception as error:  # building runs any module that the file names
            raise CheckpointError(
                f"{folder} cannot be loaded as SpeechBrain's StreamingASR "
                f"({first_lines(str(error))}); {self.source.remedy()}"
            ) from error
        _check_filled(model.hparams.pretrainer.loadables["model"], weights)
        return model.eval()


def _check_filled(modules: torch.nn.Module, weights: Weights) -> None:
    """Raises CheckpointError if some weights stayed random; SpeechBrain only warns about them."""
    absent = sorted(set(modules.state_dict()) - set(load_tensors(weights.path)))
    if absent:
        raise CheckpointError(
            f"{weights.path} lacks {len(absent)} weight(s) that hyperparams.yaml describes, the "
            f"first is {absent[0]}; {weights.source.remedy()}"
        )


def _check_trusted(weights: Weights) -> None:
    """Raises CheckpointError if hyperparams.yaml would call anything but building blocks."""
    path = weights.file("hyperparams.yaml")
    named = re.findall(r"!(?:new|name|apply|module):\s*([\w.]+)", path.read_text())
    strange = [name for name in named if not name.startswith(_TRUSTED)]
    if strange:
        raise CheckpointError(
            f"{path} would run {strange[0]}; expected objects of "
            f"{', '.join(prefix.rstrip('.') for prefix in _TRUSTED)} only; get the file again"
        )

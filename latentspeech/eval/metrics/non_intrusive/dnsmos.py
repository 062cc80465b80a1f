"""DNSMOS: predicted opinion scores without a reference, package `speechmos` (networks included).

The value is the overall score (OVRL) of ITU-T P.835 (Reddy et al., 2022, arXiv 2110.01763); the
scores of the signal (SIG), of the background (BAK), and the older P.808 score that VALL-E 2 reports
are in the details. The package repeats a clip until it lasts 9.01 s and averages over windows of
that length, one second apart. The networks were trained on noise suppression, so silence gets a
number like any other sound.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.audio.signal_check import check_signal
from latentspeech.core.eval.scorer import Score, package_version, require_packages
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.metrics.librosa_import import import_librosa

SAMPLE_RATE = 16000


class Dnsmos(AudioScorer):
    """DNSMOS P.835, overall."""

    name = "DNSMOS"
    unit = "MOS"
    higher_is_better = True

    def prepare(self) -> None:
        """Loads the two networks."""
        packages = {"speechmos": "speechmos", "onnxruntime": "onnxruntime", "librosa": "librosa"}
        require_packages(self.name, {**packages, "requests": "requests"})
        _ = self._networks

    def describe(self) -> dict[str, Any]:
        """Describes the networks, the sample rate, the package and how clips are scored."""
        return {
            "metric": self.name,
            "model": "DNSMOS P.835 sig_bak_ovr, overall (not personalised)",
            "sample_rate": SAMPLE_RATE,
            "package": package_version("speechmos"),
            "lengths": "repeated up to 9.01 s, mean of windows 1 s apart",
            "aggregation": "mean over utterances",
        }

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """DNSMOS of one clip; samples beyond full scale are clipped and counted."""
        self.prepare()
        audio = check_signal("hypothesis", hypothesis, sample_rate)
        audio = resample(audio, sample_rate, SAMPLE_RATE)
        scores = self._networks(audio.clamp(-1.0, 1.0).numpy(), SAMPLE_RATE, False)
        details = {
            "duration_s": hypothesis.numel() / sample_rate,
            "sig": float(scores["sig_mos"]),
            "bak": float(scores["bak_mos"]),
            "p808": float(scores["p808_mos"]),
            "num_clipped": int((audio.abs() > 1.0).sum()),
        }
        return Score(float(scores["ovrl_mos"]), details)

    @cached_property
    def _networks(self) -> Any:
        import_librosa()  # speechmos imports librosa itself
        import onnxruntime
        from speechmos import dnsmos

        folder = Path(dnsmos.__file__).parent / "dnsmos_models"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()

        class Networks(dnsmos.DNSMOS):  # type: ignore[misc]
            """The package's class, limited to the number of threads that torch uses."""

            def __init__(self) -> None:
                sessions = [
                    onnxruntime.InferenceSession(
                        str(folder / name), options, providers=["CPUExecutionProvider"]
                    )
                    for name in ("sig_bak_ovr.onnx", "model_v8.onnx")
                ]
                self.onnx_sess, self.p808_onnx_sess = sessions

        return Networks()

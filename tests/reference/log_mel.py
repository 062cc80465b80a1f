"""Log-mel spectrograms at several scales, as the multi-scale mel loss compares them."""

from collections.abc import Sequence

from torch import Tensor

from latentspeech.audio.mel import DAC_MEL_SCALES, MelBank, MelScale


def multi_scale_log_mel(
    audio: Tensor, sample_rate: int, scales: Sequence[MelScale] = DAC_MEL_SCALES
) -> list[Tensor]:
    """Audio (B, T) -> (B, N, M) at each scale."""
    return [MelBank(scale, sample_rate).to(audio)(audio) for scale in scales]

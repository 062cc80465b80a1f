"""The server of pocket-tts with random weights (pocket_model.py), in a process of its own.

    python -m benchmarks.lib.pocket_server CONFIG AUDIO_S

It listens at a free port, which it writes to stderr. Its application is pocket-tts's own; the model
and the state of the voice are put where `pocket-tts serve` puts those that it downloads. Numbers
near 0 count as 0, since random weights would make many that a processor is slow with.
"""

import logging
import socket
import sys
from pathlib import Path

import torch
import uvicorn

from benchmarks.lib import pocket_model

_PROMPT_S = 5


def main() -> None:
    """Serves until it is told to stop."""
    from pocket_tts import main as pocket

    torch.set_flush_denormal(True)
    logging.disable(logging.WARNING)
    model = pocket_model.load(Path(sys.argv[1]), float(sys.argv[2]))
    noise = torch.randn(1, _PROMPT_S * model.config.mimi.sample_rate)
    state = model.get_state_for_audio_prompt(0.1 * noise)
    model._cached_get_state_for_audio_prompt = lambda *_: state
    pocket.tts_model = model
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stderr.write(f"listening on http://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stderr.flush()
    uvicorn.Server(uvicorn.Config(pocket.web_app, log_config=None)).run([listening])


if __name__ == "__main__":
    main()

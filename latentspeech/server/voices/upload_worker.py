"""A process that reads one recording of a client, so that a bad file can harm nothing else.

    python -m latentspeech.server.voices.upload_worker voice RECORDING VOICE CODEC_DIR < JSON
    python -m latentspeech.server.voices.upload_worker verify RECORDING

Decoders of audio are large programs in C, and a recording comes from anybody. The process limits
its own memory, time and files before it reads the first byte. It prints one JSON object: what it
found, or `error` with a message for the client.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Any

from latentspeech.audio.media import media_comment
from latentspeech.codec.model_directory import codec_hash
from latentspeech.codec.runtime import load_codec
from latentspeech.core.errors import InputError
from latentspeech.tts.prompt import encode_prompt, save_voice

_MEMORY_BYTES = 4 << 30  # of addresses, of which libraries reserve many
_CPU_S = 60
_FILE_BYTES = 64 << 20


def main() -> None:
    """Does what the first argument says."""
    _limit_itself()
    task, recording, *others = sys.argv[1:]
    try:
        found = _verify(Path(recording)) if task == "verify" else _voice(Path(recording), *others)
    except InputError as error:
        found = {"error": str(error).replace(recording, "the recording")}
    except MemoryError:
        found = {"error": "the recording needs too much memory; give a shorter one"}
    sys.stdout.write(json.dumps(found))


def _limit_itself() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits; there the timeout alone holds
        return
    for kind, amount in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
    ):
        resource.setrlimit(kind, (amount, amount))


def _voice(recording: Path, target: str, codec_dir: str) -> dict[str, Any]:
    """Writes a voice file; returns what was noticed in the recording."""
    options = json.load(sys.stdin)
    notes = _Notes()
    logging.getLogger("latentspeech").addHandler(notes)
    codec = load_codec(Path(codec_dir), None, "onnx", "cpu", num_threads=1)
    prompt = encode_prompt(
        codec,
        codec_hash(Path(codec_dir)),
        recording,
        options["ref_text"],
        needs_text=options["needs_text"],
    )
    save_voice(prompt, Path(target))
    seconds = len(prompt.latents) / codec.config.frame_rate
    said = [note.replace(str(recording), "the recording") for note in notes.messages]
    return {"duration_s": seconds, "notes": said}


def _verify(recording: Path) -> dict[str, Any]:
    """Returns the comment in the metadata of a file."""
    return {"comment": media_comment(recording)}


class _Notes(logging.Handler):
    """Collects warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


if __name__ == "__main__":
    main()

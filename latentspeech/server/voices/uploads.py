"""Hands the recordings of clients to processes of their own (upload_worker.py), a few at a time."""

import asyncio
import hashlib
import json
import sys
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

from latentspeech.core.errors import InputError
from latentspeech.server.config import Limits
from latentspeech.server.engine.engine import BusyError
from latentspeech.tts.prompt import Prompt, load_voice

_MODULE = "latentspeech.server.voices.upload_worker"
_MOST_KEPT = 64  # voices of recordings that came with requests
_RETRY_S = 5


class ReadVoice(NamedTuple):
    """The voice of a recording, and what was noticed in it."""

    prompt: Prompt
    notes: list[str]


class Uploads:
    """Makes voices of recordings and reads their metadata."""

    def __init__(self, codec_dir: Path, needs_text: bool, limits: Limits) -> None:
        self._codec_dir, self._needs_text, self._limits = codec_dir, needs_text, limits
        self._free = asyncio.Semaphore(limits.max_uploads)
        self._num_here = 0
        self._kept: OrderedDict[bytes, ReadVoice] = OrderedDict()

    async def voice(self, recording: bytes, ref_text: str | None) -> ReadVoice:
        """Makes a voice; that of a recording that came lately is kept.

        Raises:
            InputError: the recording cannot serve as a prompt, or takes too long.
            BusyError: too many recordings wait.
        """
        key = hashlib.sha256(recording + b"\0" + (ref_text or "").encode()).digest()
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        with tempfile.TemporaryDirectory(prefix="latentspeech-") as folder:
            source, target = Path(folder) / "recording", Path(folder) / "voice.safetensors"
            source.write_bytes(recording)
            options = {"ref_text": ref_text, "needs_text": self._needs_text}
            found = await self._run(options, "voice", source, target, self._codec_dir)
            made = ReadVoice(load_voice(target), found["notes"])
        self._kept[key] = made
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return made

    async def comment(self, recording: bytes) -> str:
        """Returns the comment in the metadata of a file; InputError if it is no audio."""
        with tempfile.TemporaryDirectory(prefix="latentspeech-") as folder:
            source = Path(folder) / "recording"
            source.write_bytes(recording)
            found: str = (await self._run({}, "verify", source))["comment"]
        return found

    async def _run(self, options: dict[str, Any], *arguments: str | Path) -> dict[str, Any]:
        most = self._limits.max_uploads + self._limits.max_waiting_uploads
        if self._num_here >= most:
            raise BusyError(self._num_here, _RETRY_S)
        self._num_here += 1
        try:
            async with self._free:
                output = await self._output(json.dumps(options).encode(), *arguments)
        finally:
            self._num_here -= 1
        try:
            found: dict[str, Any] = json.loads(output)
        except ValueError:  # it was killed at one of its limits
            raise InputError(
                "the recording could not be read within the limits of memory and time; expected "
                "at most 10 min of speech; give another file"
            ) from None
        if "error" in found:
            raise InputError(found["error"])
        return found

    async def _output(self, given: bytes, *arguments: str | Path) -> bytes:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", _MODULE, *map(str, arguments),
            stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._limits.upload_timeout_s):
                output, _ = await process.communicate(given)
        except TimeoutError:
            return b""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return output

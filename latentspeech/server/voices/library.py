"""The voices of a server: those that ship, and those that clients have stored.

A stored voice is one safetensors file in the folder of the server. It appears whole or not at all,
so a server that is killed loses no voice that it has confirmed. Several servers may share a folder:
who adds or removes a file holds the folder's lock, and who reads notices that a file has changed.
"""

import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open

from latentspeech.core.data.file_lock import exclusive
from latentspeech.core.errors import CheckpointError, ConfigError, InputError
from latentspeech.core.storage.files import TEMPORARY_PREFIX, remove_leftovers
from latentspeech.tts.prompt import VOICE_SUFFIX, Prompt, load_voice, save_voice
from latentspeech.tts.voices import builtin_voices

# No dot and no slash, so a name is never a path outside the folder.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LOCK = ".lock"
_REMEDY = "let the server write in its folder of voices, or give another one by --voices-dir"


class UnknownVoiceError(Exception):
    """No voice has this name."""


class VoiceExistsError(Exception):
    """A voice has this name already."""


@dataclass(frozen=True)
class StoredVoice:
    """A voice that a client has stored, and what is known of it."""

    name: str
    consent: str  # what the client said about the speaker's consent
    created_at: str  # ISO 8601
    ref_text: str | None
    file_size: int


class _Kept(NamedTuple):
    """A stored voice in memory, and the state of its file when it was read."""

    stamp: tuple[int, int]
    prompt: Prompt


class VoiceLibrary:
    """Voices by name; a stored voice cannot have the name of one that ships."""

    def __init__(self, folder: Path, codec_hash: str, max_voices: int) -> None:
        """Opens a folder, which is made if it is missing, and removes what a killed server left.

        Raises:
            ConfigError: there can be no such folder.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.glob(TEMPORARY_PREFIX + "*")):
                with exclusive(folder / _LOCK, _REMEDY):  # another server may be writing now
                    remove_leftovers(folder)
        except OSError as error:
            raise ConfigError(
                f"the folder of voices {folder} cannot be used ({error.strerror}); give another "
                "one by --voices-dir"
            ) from None
        self._folder, self._codec_hash, self._max_voices = folder, codec_hash, max_voices
        loaded = {name: load_voice(path) for name, path in builtin_voices().items()}
        self._builtin = {
            name: prompt for name, prompt in loaded.items() if prompt.codec_hash == codec_hash
        }
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    @property
    def builtin(self) -> list[str]:
        """The names of the voices that ship and fit the model."""
        return list(self._builtin)

    def stored(self) -> list[StoredVoice]:
        """The voices that clients have stored, by name."""
        paths = sorted(self._folder.glob(f"*{VOICE_SUFFIX}"))
        found = [_describe(path) for path in paths if _NAME.fullmatch(path.stem)]
        return [voice for voice in found if voice is not None]

    def get(self, name: str) -> Prompt:
        """Returns a voice.

        Raises:
            UnknownVoiceError: no voice has this name.
            CheckpointError: it was made for another codec.
        """
        if name in self._builtin:
            return self._builtin[name]
        stamp = self._stamp(name)
        with self._lock:
            if name not in self._kept or self._kept[name].stamp != stamp:
                self._kept[name] = _Kept(stamp, self._load(name))
            return self._kept[name].prompt

    def add(self, name: str, prompt: Prompt, consent: str) -> StoredVoice:
        """Stores a voice; when this returns, it is on the disk.

        Raises:
            InputError: the name or the consent cannot be used, or there are too many voices.
            VoiceExistsError: the name is taken.
        """
        check_name(name)
        if not consent.strip():
            raise InputError(
                "consent is empty; expected who has agreed to the use of this voice, and how"
            )
        path = self._path(name)
        with exclusive(self._folder / _LOCK, _REMEDY):
            if name in self._builtin or path.exists():
                raise VoiceExistsError(
                    f"a voice {name!r} exists already; delete it first, or take another name"
                )
            if sum(1 for _ in self._folder.glob(f"*{VOICE_SUFFIX}")) >= self._max_voices:
                raise InputError(
                    f"{self._max_voices} voices are stored, which is the limit; delete some first"
                )
            now = datetime.now(UTC).isoformat(timespec="seconds")
            save_voice(prompt, path, {"consent": consent, "created_at": now})
            stored = _describe(path)
        assert stored is not None
        return stored

    def remove(self, name: str) -> None:
        """Deletes a stored voice.

        Raises:
            UnknownVoiceError: no stored voice has this name.
        """
        self._stamp(name)
        with exclusive(self._folder / _LOCK, _REMEDY):
            try:
                self._path(name).unlink()
            except FileNotFoundError:
                raise UnknownVoiceError(f"no client has stored a voice {name!r}") from None
        with self._lock:
            self._kept.pop(name, None)

    def _stamp(self, name: str) -> tuple[int, int]:
        """What changes when another file takes this name; UnknownVoiceError without such a file."""
        try:
            if not _NAME.fullmatch(name):
                raise FileNotFoundError
            state = self._path(name).stat()
        except FileNotFoundError:
            raise UnknownVoiceError(f"there is no voice {name[:80]!r}") from None
        return state.st_ino, state.st_mtime_ns

    def _load(self, name: str) -> Prompt:
        prompt = load_voice(self._path(name))
        if prompt.codec_hash != self._codec_hash:
            raise CheckpointError(
                f"the voice {name!r} was made with codec {prompt.codec_hash}, this server has "
                f"{self._codec_hash}; store the voice again"
            )
        return prompt

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{VOICE_SUFFIX}"


def check_name(name: str) -> None:
    """Raises InputError for a name that a voice cannot have."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"the name {name[:80]!r} cannot be used; expected 1 to 64 letters, digits, - or _, of "
            "which the first is a letter or digit"
        )


def _describe(path: Path) -> StoredVoice | None:
    """What is known of a stored voice; None if it has been deleted meanwhile."""
    try:
        size = path.stat().st_size
        with safe_open(path, "np") as file:
            notes = file.metadata() or {}
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError):
        notes = {}
    return StoredVoice(
        path.stem,
        notes.get("consent", ""),
        notes.get("created_at", ""),
        notes.get("transcript"),
        size,
    )

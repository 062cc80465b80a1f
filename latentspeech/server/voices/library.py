"""The voices of a server: those that ship, and those that clients have stored.

A stored voice is one safetensors file in the folder of the server. It appears whole or not at all,
so a server that is killed loses no voice that it has confirmed. Only one server may use a folder.
"""

import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from safetensors import SafetensorError, safe_open

from latentspeech.core.errors import CheckpointError, ConfigError, InputError
from latentspeech.core.storage.files import remove_leftovers
from latentspeech.tts.prompt import VOICE_SUFFIX, Prompt, load_voice, save_voice
from latentspeech.tts.voices import builtin_voices

# No dot and no slash, so a name is never a path outside the folder.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


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


class VoiceLibrary:
    """Voices by name; a stored voice cannot have the name of one that ships."""

    def __init__(self, folder: Path, codec_hash: str, max_voices: int) -> None:
        """Opens a folder, which is made if it is missing, and removes what a killed server left.

        Raises:
            ConfigError: there can be no such folder.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
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
        self._prompts = dict(self._builtin)
        self._lock = threading.Lock()

    @property
    def builtin(self) -> list[str]:
        """The names of the voices that ship and fit the model."""
        return list(self._builtin)

    def stored(self) -> list[StoredVoice]:
        """The voices that clients have stored, by name."""
        paths = sorted(self._folder.glob(f"*{VOICE_SUFFIX}"))
        return [_describe(path) for path in paths if _NAME.fullmatch(path.stem)]

    def get(self, name: str) -> Prompt:
        """Returns a voice.

        Raises:
            UnknownVoiceError: no voice has this name.
            CheckpointError: it was made for another codec.
        """
        with self._lock:
            if name not in self._prompts:
                self._prompts[name] = self._load(name)
            return self._prompts[name]

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
        with self._lock:
            path = self._path(name)
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
            self._prompts[name] = prompt
        return _describe(path)

    def remove(self, name: str) -> None:
        """Deletes a stored voice.

        Raises:
            UnknownVoiceError: no stored voice has this name.
        """
        with self._lock:
            if not _NAME.fullmatch(name) or not self._path(name).is_file():
                raise UnknownVoiceError(f"no client has stored a voice {name!r}")
            self._path(name).unlink()
            self._prompts.pop(name, None)

    def _load(self, name: str) -> Prompt:
        if not _NAME.fullmatch(name) or not self._path(name).is_file():
            raise UnknownVoiceError(f"there is no voice {name[:80]!r}")
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


def _describe(path: Path) -> StoredVoice:
    try:
        with safe_open(path, "np") as file:
            notes = file.metadata() or {}
    except (SafetensorError, OSError):
        notes = {}
    return StoredVoice(
        path.stem,
        notes.get("consent", ""),
        notes.get("created_at", ""),
        notes.get("transcript"),
        path.stat().st_size,
    )

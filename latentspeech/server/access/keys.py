"""API keys: who may use the server.

A file has a key a line, or a name, a colon and a key; # begins a comment. Without a file the
variable LATENTSPEECH_API_KEYS may hold such entries with commas between them. Without either,
everybody may use the server and is known by address.
"""

import hashlib
import hmac
import os
from pathlib import Path

from latentspeech.core.errors import ConfigError

VARIABLE = "LATENTSPEECH_API_KEYS"
_LEAST_LENGTH = 16


class ApiKeys:
    """Keys by the names of their clients; only hashes are kept."""

    def __init__(self, entries: list[str], origin: str) -> None:
        self._names: dict[bytes, str] = {}
        for entry in entries:
            name, separator, key = entry.rpartition(":")
            if len(key) < _LEAST_LENGTH:
                raise ConfigError(
                    f"{origin} has a key of {len(key)} characters; expected at least "
                    f"{_LEAST_LENGTH}: make one, for instance by `openssl rand -hex 24`"
                )
            digest = _digest(key)
            self._names[digest] = name if separator else digest.hex()[:12]

    @property
    def needed(self) -> bool:
        """Whether a request needs a key."""
        return bool(self._names)

    def client(self, key: str) -> str | None:
        """Returns the client of a key; None if it is no key."""
        asked, found = _digest(key), None
        for digest, name in self._names.items():  # all of them, so the time says nothing
            if hmac.compare_digest(digest, asked):
                found = name
        return found


def read_keys(path: Path | None) -> ApiKeys:
    """Reads the keys of a file, or those of the environment.

    Raises:
        ConfigError: the file is missing or has no key, or a key is too short.
    """
    if path is None:
        found = os.environ.get(VARIABLE, "").split(",")
        return ApiKeys([entry.strip() for entry in found if entry.strip()], VARIABLE)
    if not path.is_file():
        raise ConfigError(f"file of API keys not found: {path}; give an existing file")
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    entries = [line for line in lines if line and not line.startswith("#")]
    if not entries:
        raise ConfigError(f"{path} has no key; expected one a line, or leave --api-keys out")
    return ApiKeys(entries, str(path))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()

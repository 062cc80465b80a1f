"""The errors that a user can cause, or has to act upon.

Each message says what was found, what was expected and what to do. The errors are `ValueError`s, so
that library users may catch them without importing this file. The CLI turns them into one line and
exit code 2.
"""


class ConfigError(ValueError):
    """A setting is unknown, out of range, or cannot take effect."""


class InputError(ValueError):
    """Audio, text or a file that was handed in cannot be used."""


class DataError(ValueError):
    """A corpus, manifest or shard is missing, corrupt or inconsistent."""


class CheckpointError(ValueError):
    """A model directory, checkpoint or voice is missing, truncated or of another model."""


class PeerError(ValueError):
    """Another process of the run has ended; the run can resume from the last checkpoint."""

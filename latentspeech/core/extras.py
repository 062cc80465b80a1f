"""Packages beyond the base install, which belong to extras: what is missing is said in one line."""

import importlib
import importlib.util

from latentspeech.core.errors import ConfigError

# The extra of a package that commands import; one that several extras bring has the first of them.
_EXTRAS = {
    "torch": "train",
    "torchaudio": "train",
    "lightning_fabric": "train",
    "lhotse": "train",
    "fsspec": "train",
    "peft": "train",
    "filelock": "train",
    "librosa": "eval",
    "scipy": "eval",
    "matplotlib": "eval",
    "jinja2": "eval",
    "PIL": "vision",
    "torchvision": "vision",
    "pyarrow": "vision",
    "av": "media",
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
    "wyoming": "serve",
    "ray": "ray",
}


def require(package: str, extra: str, need: str) -> None:
    """Raises ConfigError unless the package can be imported.

    Args:
        package: the name that is imported.
        extra: the extra of latentspeech that installs it.
        need: what needs it, the beginning of a sentence.
    """
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise ConfigError(
            f"{need} needs {package}, which is not installed here ({error}); run: {_install(extra)}"
        ) from None


def is_installed(package: str) -> bool:
    """Whether a package can be imported; it is not imported."""
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """What to install where this error names a package of an extra; None for any other."""
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    if extra is None:
        return None
    scores = ", or with [eval] for scores" if extra == "train" else ""
    return (
        f"this needs {package}, which is not installed; speaking and the codec need no more than "
        f"the base install, the rest comes with extras; run: {_install(extra)}{scores}"
    )


def _install(extra: str) -> str:
    return f"pip install 'latentspeech[{extra}]'"

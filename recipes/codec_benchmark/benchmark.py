"""The work of egs/codec_benchmark: each codec's copies, its size and speed, the copies' scores.

Every step goes on where it stopped. A codec whose weights are not on this machine is measured for
size and speed and left out of the other steps, with the reason; a codec whose package is missing is
left out altogether.
"""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latentspeech.audio.io import load_audio, write_audio
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.core.storage.files import write_json
from latentspeech.core.storage.provenance import hardware
from latentspeech.eval.scoring.files import ScoreInputs
from latentspeech.eval.scoring.lists import EvalList, read_list
from latentspeech.eval.scoring.run import score_inputs
from recipes.codec_benchmark.codecs.codec_speed import measure_speed
from recipes.codec_benchmark.codecs.contract import CodecAdapter
from recipes.codec_benchmark.codecs.names import make_codec
from recipes.lib.result_folder import audio_path, open_result_folder

ANCHOR = "encodec-8"
THREADS = (1, 2)


def codec_names(codecs: str, ours: str) -> list[str]:
    """Names in --codecs (a file of lines, or a list with commas), then those in --ours."""
    path = Path(codecs)
    words = path.read_text(encoding="utf-8").splitlines() if path.is_file() else codecs.split(",")
    names = [word.strip() for word in words if word.strip() and not word.startswith("#")]
    names += [word.strip() for word in ours.split(",") if word.strip()]
    labels = [name.partition("=")[0] for name in names]
    if not names or len(set(labels)) != len(labels):
        raise ConfigError(f"codecs are {', '.join(labels) or 'none'}; expected some, each once")
    return names


def check(names: Sequence[str]) -> None:
    """Prints the state of each codec."""
    for name in names:
        try:
            state = "weights: " + make_codec(name, allow_random=False).weights
        except MetricUnavailable as missing:
            state = str(missing)
        print(f"   {name.partition('=')[0]:18} {state}", flush=True)


def copy(names: Sequence[str], chosen: EvalList, out: Path) -> None:
    """Writes `out`/<codec>/hyp/<id>.wav for all utterances and all codecs that have weights."""
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        try:
            codec = make_codec(name, allow_random=False)
        except MetricUnavailable:
            continue  # stage 0 has reported the reason
        folder = out / codec.name
        open_result_folder(folder, {"weights": codec.weights, "list": chosen.sha256})
        for pair in chosen.pairs(folder):
            path = audio_path(folder, "hyp", pair.id)
            if path.is_file():
                continue
            assert pair.reference_path is not None
            audio = load_audio(pair.reference_path, codec.sample_rate)  # (T,)
            write_audio(path, codec.reconstruct(audio).clamp(-1, 1), codec.sample_rate)
        print(f"   {codec.name}: {len(chosen.rows)} copies", flush=True)


def measure(
    names: Sequence[str], out: Path, seconds: float, repeats: int, force: bool = False
) -> None:
    """Writes `out`/<codec>.json: what the codec is, its sizes and its speeds on this machine."""
    out.mkdir(parents=True, exist_ok=True)
    anchor: CodecAdapter | None = None
    for name in names:
        path = out / f"{name.partition('=')[0]}.json"
        try:
            codec = make_codec(name)
        except MetricUnavailable as missing:
            write_json(path, {"name": name, "left_out": str(missing)})
            print(f"   {name}: left out: {missing}", flush=True)
            continue
        key = {"weights": codec.weights, "seconds": seconds, "repeats": repeats}
        key["hardware"] = hardware()
        if not force and path.is_file() and json.loads(path.read_text()).get("key") == key:
            continue
        anchor = anchor or make_codec(ANCHOR)
        speeds = [measure_speed(codec, anchor, number, seconds, repeats) for number in THREADS]
        write_json(path, {**describe(codec), "key": key, "speeds": list(map(as_dict, speeds))})
        rtf = f"{speeds[0].encode_rtf:.3f} to encode, {speeds[0].decode_rtf:.3f} to decode"
        print(f"   {codec.name}: rtf {rtf} on one thread", flush=True)


def describe(codec: CodecAdapter) -> dict[str, Any]:
    """The facts of a codec that need no timing."""
    fields = ("name", "title", "sample_rate", "frame_rate", "num_quantizers", "latent_dim")
    more = ("token_reduction_ratio", "causal", "weights", "hole")
    sizes = codec.sizes()
    facts = {field: getattr(codec, field) for field in (*fields, *more)}
    return {**facts, "sizes": {**dataclasses.asdict(sizes), "total": sizes.total}}


def as_dict(speed: Any) -> dict[str, Any]:
    """A speed with its numbers rounded to five digits behind the point."""
    values = dataclasses.asdict(speed)
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()}


def score(names: Sequence[str], list_path: Path, copies: Path, metrics: str, out: Path) -> None:
    """Writes `out`/<codec>.json, a report of latentspeech score, for each codec with copies."""
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        label = name.partition("=")[0]
        report, folder = out / f"{label}.json", copies / label / "hyp"
        if not folder.is_dir():
            report.unlink(missing_ok=True)  # from an earlier run that had the weights
            continue
        inputs = ScoreInputs(hypothesis=folder, list_file=list_path)
        found = score_inputs(inputs, metrics.split(","), out=report, resume=True)
        print(f"   {label}: {len(found.items)} utterances", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["check", "copy", "measure", "score"])
    parser.add_argument("--codecs", required=True, help="names with commas, or a file of names")
    parser.add_argument("--ours", default="", help="name=model_directory, with commas")
    parser.add_argument("--list", type=Path, help="list of `latentspeech testset`")
    parser.add_argument("--copies", type=Path)
    parser.add_argument("--metrics", default="")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    names = codec_names(arguments.codecs, arguments.ours)
    out: Path = arguments.out
    match arguments.action:
        case "check":
            check(names)
        case "copy":
            copy(names, read_list(arguments.list), out)
        case "measure":
            measure(names, out, arguments.seconds, arguments.repeats, arguments.force)
        case "score":
            score(names, arguments.list, arguments.copies, arguments.metrics, out)


if __name__ == "__main__":
    run_recipe(main)

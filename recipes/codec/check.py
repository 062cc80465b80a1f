"""Copies test utterances through the codec and scores the copies.

The originals are scored too, by the metrics that need no reference. For `--cuts PATH`, `--out` gets
ref/, hyp/, items.jsonl (for `latentspeech score --list`), scores.json and scores.md; each
`--cuts NAME=PATH` is a group that is checked apart and gets the same files in a folder NAME. Copies
are made of the posterior's means, or with `--sampled` of latents drawn from it, which are as noisy
as those that the decoder was trained on.

`--libritts_dir` puts the paper's test set of Table 5 in the place of the unnamed cuts;
`--librispeech_dir` adds the test set of Table 8 as the group `librispeech`.
"""

import argparse
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from latentspeech.audio.io import write_audio
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import decoding_hash, load_codec_module
from latentspeech.core.command import run_recipe
from latentspeech.core.device import AUTO, CPU, DEVICE_HELP, choose_device, describe_device
from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.report_markdown import render, write_report
from latentspeech.core.latents.sigma_vae import sample_posterior
from latentspeech.core.storage.files import atomic_path, write_json
from latentspeech.core.tensors import make_generator
from latentspeech.data.utterances import Utterance, load_utterance
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.lists import EvalList, ListRow, read_list, write_list
from recipes.codec.check_tables import Checked, groups_table, originals_table
from recipes.lib.result_folder import audio_path, open_result_folder
from recipes.tts.test_set.sampling_options import add_batch_option, default_batch_size
from recipes.tts.test_set.test_items import (
    TestItems,
    held_out_items,
    librispeech_items,
    libritts_items,
)

logger = logging.getLogger(__name__)

METRICS = (
    "mel-dac-class",
    "pesq",
    "stoi",
    "visqol",
    "mel",
    "si-sdr",
    "distillmos",
    "dnsmos",
    "sim-ge2e",
    "sim-campplus",
    "wer-w",
)
# These need no reference, so the originals can be scored by them too.
OF_ORIGINALS = ("distillmos", "dnsmos", "wer-w")


@dataclass(frozen=True)
class Group:
    """Cuts that are copied and scored together; the unnamed group's name is empty.

    `path` is a cuts file, or the folder of the corpus that `kind` names.
    """

    name: str
    path: Path
    kind: Literal["cuts", "libritts", "librispeech"] = "cuts"

    def folder(self, out: Path) -> Path:
        """The folder that its copies and scores are written to."""
        return out / self.name

    def test_items(self, max_items: int, seed: int) -> TestItems:
        """The utterances to copy; a `max_items` of 0 takes all."""
        match self.kind:
            case "libritts":
                return libritts_items(self.path, max_items, seed)
            case "librispeech":
                return librispeech_items(self.path, "reference", max_items)
            case "cuts":
                return held_out_items(self.path, "reference", max_items)


def parse_groups(texts: Sequence[str]) -> list[Group]:
    """Parses PATH or NAME=PATH; ConfigError for names that repeat or cannot name a folder."""
    groups: list[Group] = []
    for text in texts:
        name, separator, path = text.partition("=")
        # A path may itself hold "=" behind a slash; then it has no name.
        group = Group(name, Path(path)) if separator and "/" not in name else Group("", Path(text))
        if group.name in ("ref", "hyp") or not re.fullmatch(r"[\w-]*", group.name):
            raise ConfigError(f"--cuts {text}: {group.name!r} is no name for a folder of its own")
        if group.name in [other.name for other in groups]:
            raise ConfigError(f"--cuts {text}: give each list a name of its own, as NAME=PATH")
        groups.append(group)
    return groups


def draw_latents(codec: Codec, means: Tensor, utterance_id: str, seed: int) -> Tensor:
    """Draws latents (1, F, D) around these means; seed and id decide the noise."""
    generator = make_generator(seed, f"check_codec/{utterance_id}")
    return sample_posterior(codec.config.posterior, means, generator)


@torch.inference_mode()
def copy_batch(
    codec: Codec, utterances: Sequence[Utterance], out: Path, sampled: int | None = None
) -> None:
    """Writes the originals and the codec's copies of these utterances unless they are there.

    All pass through the codec at once. Encoder and decoder are causal, so the zeros after a shorter
    utterance do not reach it.

    Args:
        sampled: seed of the latents; None for the means.
    """
    waiting = [one for one in utterances if not all(path.is_file() for path in _paths(out, one))]
    if not waiting:
        return
    rate, hop_length = codec.config.sample_rate, codec.config.hop_length
    originals = [load_utterance(one, rate) for one in waiting]  # (T,) each
    means = codec.encode(pad_sequence(originals, batch_first=True).to(codec.device))  # (B, F, D)
    latents = []
    for row, (one, original) in enumerate(zip(waiting, originals, strict=True)):
        own = means[row : row + 1, : -(-len(original) // hop_length)]  # (1, F of this row, D)
        latents.append(own if sampled is None else draw_latents(codec, own, one.id, sampled))
    padded = pad_sequence([own[0] for own in latents], batch_first=True)  # (B, F, D)
    copies = codec.decode(padded).cpu()  # (B, T)
    for one, original, copy in zip(waiting, originals, copies, strict=True):
        original_path, copy_path = _paths(out, one)
        write_audio(original_path, original, rate)
        write_audio(copy_path, copy[: len(original)].clamp(-1, 1), rate)


def list_row(utterance: Utterance, out: Path, sex: str | None = None) -> ListRow:
    """The row of the list that scores this utterance's copy against its original."""
    original, copy = _paths(out, utterance)
    return ListRow(
        id=utterance.id,
        hypothesis_path=copy.relative_to(out).as_posix(),
        reference_path=original.relative_to(out).as_posix(),
        transcript=utterance.text or None,
        speaker=utterance.speaker or None,
        sex=sex,
        duration_s=round(utterance.duration_s, 6),
    )


def _paths(out: Path, utterance: Utterance) -> tuple[Path, Path]:
    """The files of the original and of its copy."""
    return audio_path(out, "ref", utterance.id), audio_path(out, "hyp", utterance.id)


def copy_group(
    codec: Codec, test: TestItems, folder: Path, sampled: int | None, batch_size: int = 1
) -> EvalList:
    """Copies a group's utterances, `batch_size` at once, and lists them."""
    targets, sexes = list(test.targets), test.sexes
    for start in range(0, len(targets), batch_size):
        copy_batch(codec, targets[start : start + batch_size], folder, sampled)
    rows = [list_row(one, folder, sexes.get(one.id)) for one in targets]
    latents = "the means" if sampled is None else f"samples (seed {sampled})"
    rule = f"copies by {latents} of the codec's posterior; {test.info.rule}"
    write_list(folder / "items.jsonl", rows, replace(test.info, rule=rule))
    return read_list(folder / "items.jsonl")


def score_originals(
    chosen: EvalList, metrics: Sequence[str], device: torch.device = CPU
) -> EvalReport | None:
    """Scores the originals by the metrics of OF_ORIGINALS; None if none of those was chosen."""
    possible = [name for name in metrics if name in OF_ORIGINALS]
    if not possible:
        return None
    pairs = [
        replace(pair, hypothesis_path=pair.reference_path)
        for pair in chosen.pairs()
        if pair.reference_path is not None
    ]
    scorers = make_scorers(possible, device)
    return evaluate(pairs, scorers, settings={"list": chosen.describe()})


def write_reports(folder: Path, checked: Checked) -> str:
    """Writes scores.json, scores.md and, if originals were scored, originals.json.

    Returns the text of scores.md.
    """
    write_report(checked.copies, folder / "scores.json")
    text = render(checked.copies)
    if checked.originals is not None:
        write_json(folder / "originals.json", checked.originals.to_dict())
        # Readers of scores.md take its first table, which therefore stays that of the copies.
        text += f"\nBeside the originals:\n\n{originals_table(checked.originals, checked.copies)}"
        with atomic_path(folder / "scores.md") as temporary:
            temporary.write_text(text, encoding="utf-8")
    return text


def check_group(
    group: Group, chosen: EvalList, out: Path, metrics: Sequence[str], device: torch.device = CPU
) -> Checked:
    """Scores listed copies, and writes and prints the results."""
    scorers = make_scorers(metrics, device)
    copies = evaluate(chosen.pairs(), scorers, settings={"list": chosen.describe()})
    checked = Checked(copies, score_originals(chosen, metrics, device))
    text = write_reports(group.folder(out), checked)
    print(f"{group.name}:\n\n{text}" if group.name else text)
    return checked


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", type=Path, required=True, help="model directory")
    parser.add_argument("--decoder", help="a further decoder of that directory; default: its own")
    parser.add_argument(
        "--cuts",
        action="append",
        default=[],
        help="test cuts, or NAME=PATH for a group to check apart; may be repeated",
    )
    parser.add_argument("--libritts_dir", type=Path, help="the unnamed group is its test-other")
    parser.add_argument("--librispeech_dir", type=Path, help="adds its test-clean as a group")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default=AUTO, help=f"for codec and networks: {DEVICE_HELP}")
    add_batch_option(parser, default=None)
    parser.add_argument("--max_items", type=int, default=100, help="most of each list; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="seed of the part of LibriTTS")
    parser.add_argument("--metrics", default=",".join(METRICS), help="as in latentspeech score")
    parser.add_argument("--sampled", type=int, help="seed of sampled latents; default: the means")
    return parser.parse_args()


def chosen_groups(arguments: argparse.Namespace) -> list[Group]:
    """The groups to copy; ConfigError if there is none or if two have one name."""
    groups = parse_groups(arguments.cuts)
    if arguments.libritts_dir is not None:
        groups = [Group("", arguments.libritts_dir, "libritts"), *groups]
    if arguments.librispeech_dir is not None:
        groups.append(Group("librispeech", arguments.librispeech_dir, "librispeech"))
    if not groups or len({group.name for group in groups}) < len(groups):
        raise ConfigError("give --cuts or --libritts_dir; beside the latter, --cuts NAME=PATH")
    return groups


def main() -> None:
    """Copies, scores and prints."""
    arguments = parse_arguments()
    groups = chosen_groups(arguments)
    device = choose_device(arguments.device)
    metrics = [name.strip() for name in arguments.metrics.split(",")]
    make_scorers(metrics)  # reports a wrong name before the work
    out, sampled = arguments.out, arguments.sampled
    batch_size = arguments.batch_size or default_batch_size(device)
    key = {"codec_hash": decoding_hash(arguments.codec, arguments.decoder)}
    key |= describe_device(device)
    if sampled is not None:
        key["sampled"] = str(sampled)
    open_result_folder(out, key)
    codec = load_codec_module(arguments.codec, arguments.decoder).to(device)
    checked = {}
    for group in groups:
        test = group.test_items(arguments.max_items, arguments.seed)
        logger.info("%s: %s: %d utterances", test.info.protocol, test.info.rule, len(test.items))
        chosen = copy_group(codec, test, group.folder(out), sampled, batch_size)
        checked[group.name or "all"] = check_group(group, chosen, out, metrics, device)
    if any(group.name for group in groups):
        with atomic_path(out / "groups.md") as temporary:
            temporary.write_text(groups_table(checked), encoding="utf-8")
        print(groups_table(checked))


if __name__ == "__main__":
    run_recipe(main)

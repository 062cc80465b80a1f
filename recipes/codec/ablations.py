"""Codec ablations: the results of each run, and their table in RESULTS.md.

`is_done` says whether a run of this configuration is trained and checked; `record` writes its
results down; `table` puts all recorded runs into RESULTS.md. A run's folder holds run/ (training),
model/, means/ and sampled/ (recipes.codec.check on copies by the means and by sampled latents), and
facts.json.

A cell of the table is a value with a 95% interval in brackets. It is the interval of the difference
from the base run on the same utterances (paired bootstrap); for the base run, of its own value.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from latentspeech.codec.model_directory import load_codec_module
from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config
from latentspeech.core.errors import CheckpointError, DataError
from latentspeech.core.eval.comparison import compare
from latentspeech.core.eval.report import EvalReport, Interval
from latentspeech.core.storage.files import write_json
from latentspeech.core.train.run_config import config_hash
from latentspeech.core.train.state.checkpoint import newest_checkpoint
from latentspeech.eval.metrics.catalogue import make_scorer
from latentspeech.training.codec_run import CodecRunConfig
from recipes.lib.results_file import provenance_lines, write_section

BASE = "base"
SECTION = "codec ablations"
KINDS = {"means": "from the means", "sampled": "from sampled latents"}


@dataclass(frozen=True)
class RunFacts:
    """Sizes, training and last validation of a run; its scores are in other files."""

    about: str  # the comment that its YAML file begins with
    config_hash: str  # covers model, losses, optimizer and training, not where the data lie
    encoder_millions: float  # parameters
    decoder_millions: float
    steps: int
    train_s: float  # elapsed, all resumes together
    commit: str
    valid: dict[str, float] = field(default_factory=dict)  # the last validation
    pitch_cross_entropy: float | None = None  # nats, mean of the last tenth of the training
    mean_abs_sigma: float = 0.0

    @property
    def latent_std(self) -> float:
        """std(mu) on the development cuts."""
        return self.mean_abs_sigma * math.exp(self.log_ratio)

    @property
    def log_ratio(self) -> float:
        """log(std(mu) / E|sigma|)."""
        return self.valid["valid/log_std_mu_over_sigma"]


def about(config: Path) -> str:
    """The first paragraph of the comment that the YAML file begins with, on one line."""
    words = []
    for line in config.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            break
        words.append(line[2:].strip())
    return " ".join(words)


def hash_of(run: CodecRunConfig) -> str:
    """A hash that identifies what is trained; it leaves out folders, which differ by machine."""
    values = run.model_dump(
        mode="json", exclude={"exp_dir": True, "data": {"train_cuts", "valid_cuts"}}
    )
    return config_hash(values)


def is_done(config: Path, folder: Path) -> bool:
    """Whether its facts and scores are there; DataError if they are another configuration's."""
    path = folder / "facts.json"
    if not path.is_file():
        return False
    if read_facts(path).config_hash != hash_of(load_config(CodecRunConfig, config)):
        raise DataError(
            f"{folder} holds a run of another {config.name}; remove it or give another --exp_dir"
        )
    return True


def read_facts(path: Path) -> RunFacts:
    """Reads what `record` wrote."""
    return RunFacts(**json.loads(path.read_text(encoding="utf-8")))


def record(config: Path, folder: Path) -> None:
    """Writes facts.json of a run that is trained and checked."""
    found = newest_checkpoint(folder / "run")
    if found is None:
        raise CheckpointError(f"{folder}/run has no checkpoint; train there first")
    run = load_config(CodecRunConfig, folder / "run/config.yaml")
    codec = load_codec_module(folder / "model")
    valid: dict[str, float] = {}
    cross_entropies: list[float] = []
    for line in (folder / "run/metrics.jsonl").read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        valid.update({name: value for name, value in values.items() if name.startswith("valid/")})
        if "train/pitch_cross_entropy" in values and values["step"] > 0.9 * found.state.step:
            cross_entropies.append(values["train/pitch_cross_entropy"])
    facts = RunFacts(
        about=about(config),
        config_hash=hash_of(run),
        encoder_millions=sum(p.numel() for p in codec.encoder.parameters()) / 1e6,
        decoder_millions=sum(p.numel() for p in codec.decoder.parameters()) / 1e6,
        steps=found.state.step,
        train_s=found.state.seconds,
        commit=found.state.git_commit or "unknown",
        valid=valid,
        pitch_cross_entropy=(
            sum(cross_entropies) / len(cross_entropies) if cross_entropies else None
        ),
        mean_abs_sigma=run.codec.posterior.mean_abs_sigma,
    )
    write_json(folder / "facts.json", asdict(facts))


def facts_table(facts: Mapping[str, RunFacts]) -> str:
    """A table of sizes, training and latents with one row for each run."""
    lines = [
        "| run | what it changes | encoder + decoder M | steps | minutes | std(mu) "
        "| log std(mu)/E\\|sigma\\| | mel loss, dev | pitch cross entropy |",
        "|---" * 9 + "|",
    ]
    for name, one in facts.items():
        pitch = "-" if one.pitch_cross_entropy is None else f"{one.pitch_cross_entropy:.2f}"
        words = one.about.replace("|", "\\|")
        lines.append(
            f"| {name} | {words} | {one.encoder_millions:.2f} + {one.decoder_millions:.2f} "
            f"| {one.steps} | {one.train_s / 60:.1f} | {one.latent_std:.2f} "
            f"| {one.log_ratio:.2f} | {one.valid['valid/mel_l1']:.3f} | {pitch} |"
        )
    return "\n".join(lines) + "\n"


def scores_table(reports: Mapping[str, Mapping[str, EvalReport]]) -> str:
    """A row for each run, a column for each metric and kind of copy.

    `reports` holds them by run, then by kind.
    """
    kinds = [kind for kind in KINDS if any(kind in mine for mine in reports.values())]
    some = next(iter(next(iter(reports.values())).values()))
    titles = [f"{metric.name}, {KINDS[kind]}" for kind in kinds for metric in some.metrics]
    lines = [f"| run | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for name, mine in reports.items():
        cells = []
        for kind in kinds:
            base = None if name == BASE else reports.get(BASE, {}).get(kind)
            cells += [_cell(mine.get(kind), base, metric.name) for metric in some.metrics]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(report: EvalReport | None, base: EvalReport | None, metric: str) -> str:
    mine = None if report is None else report.metric(metric)
    if report is None or mine is None or mine.value is None:
        return "none"
    if base is None:
        return f"{mine.value:.3f} ({_edges(mine.interval, '')})"
    found = compare(base, report, metric, make_scorer, common_only=True, num_permutations=1)
    return f"{mine.value:.3f} ({_edges(found.interval, '+')})"


def _edges(interval: Interval | None, sign: str) -> str:
    return "none" if interval is None else f"{interval[0]:{sign}.3f} to {interval[1]:{sign}.3f}"


def read_reports(folder: Path) -> dict[str, dict[str, EvalReport]]:
    """Returns the reports of one run by group, then by kind."""
    groups: dict[str, dict[str, EvalReport]] = {}
    for kind in KINDS:
        for path in sorted((folder / kind).glob("*/scores.json")):
            groups.setdefault(path.parent.name, {})[kind] = EvalReport.read(path)
    return groups


def section(exp_dir: Path, names: Sequence[str], command: str) -> str:
    """Markdown of all runs among `names` that are recorded."""
    folders = {name: exp_dir / name for name in names if (exp_dir / name / "facts.json").is_file()}
    if not folders:
        raise DataError(f"{exp_dir} has no recorded run of {', '.join(names)}; train one first")
    facts = {name: read_facts(folder / "facts.json") for name, folder in folders.items()}
    commits = ", ".join(sorted({one.commit for one in facts.values()}))
    missing = [name for name in names if name not in facts]
    runs = ["each run trained on one thread, elapsed minutes beside other work on the machine"]
    if missing:
        runs.append(f"not run yet: {', '.join(missing)}")
    lines = [
        "## Codec ablations",
        "",
        *provenance_lines(command, runs, commits),
        "",
        "Short runs of a small codec: they rank choices, their scores are not the default codec's.",
        "The intervals know of the utterances alone: `seed_1` shows how far equal runs are apart.",
        "std(mu) and the ratio are of the development cuts.",
        "",
        facts_table(facts),
    ]
    by_run = {name: read_reports(folder) for name, folder in folders.items()}
    for group in sorted({group for mine in by_run.values() for group in mine}):
        reports = {name: mine[group] for name, mine in by_run.items() if group in mine}
        count = len(next(iter(next(iter(reports.values())).values())).items)
        lines += [
            f"Copies of {count} {group} test utterances; in brackets the 95% interval of the "
            "difference from `base` on the same utterances (of `base`: of its value).",
            "",
            scores_table(reports),
        ]
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["is_done", "record", "table"])
    parser.add_argument("--config", type=Path, help="YAML file of the run")
    parser.add_argument("--folder", type=Path, help="folder of the run")
    parser.add_argument("--exp_dir", type=Path, help="folder of all runs, for the table")
    parser.add_argument("--names", nargs="*", default=[], help="runs in the order of the table")
    parser.add_argument("--results", type=Path, help="RESULTS.md to write the section of")
    parser.add_argument("--command", default="", help="command that RESULTS.md names")
    arguments = parser.parse_args()
    match arguments.action:
        case "is_done":
            print("done" if is_done(arguments.config, arguments.folder) else "run")
        case "record":
            record(arguments.config, arguments.folder)
        case "table":
            text = section(arguments.exp_dir, arguments.names, arguments.command)
            write_section(arguments.results, SECTION, text)


if __name__ == "__main__":
    run_recipe(main)

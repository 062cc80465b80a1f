"""Speaks the test set with one sampling setting after another, and scores each.

There are two sweeps as in the paper's Figure 15: CFG scales at a fixed number of steps, and numbers
of steps at a fixed CFG scale; a third one is over scales of the noise that latents start from. All
settings speak the same items with the same noise. `--out` gets the recordings, and for each setting
a folder with hyp/, items.jsonl and scores.json; sweep.md and sweep.png are made anew after each
setting. A killed run goes on where it stopped, within a setting too.

Items are spoken in batches; up to rounding, the batch size changes only the time taken.
"""

import argparse
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from latentspeech.core.command import run_recipe
from latentspeech.core.device import choose_device
from latentspeech.core.errors import DataError
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.report_markdown import write_report as write_scores
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.storage.files import atomic_path
from latentspeech.core.storage.provenance import hardware
from latentspeech.data.utterances import read_utterances
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.protocols.cut_utterances import (
    EvaluationItem,
    choose_evaluation_items,
    read_cut_sexes,
)
from latentspeech.eval.scoring.evaluate import evaluate, metric_key
from latentspeech.eval.scoring.lists import EvalList, ListInfo, read_list, write_list
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.eval.scoring.score_store import ScoreStore, fingerprint, partial_path
from latentspeech.text.tokenizers import case_rule
from latentspeech.tts.model_directory import read_tts_config
from latentspeech.tts.prompt import Prompt
from latentspeech.tts.synthesizer import Synthesizer
from recipes.lib.result_folder import claim_result_folder
from recipes.lib.results_file import provenance_lines, this_command
from recipes.tts.sweep.grid import Grid, make_grid, setting_name
from recipes.tts.sweep.report import RECORDINGS, differences_table, is_timing, plot, values_table
from recipes.tts.test_set.sampling_options import SOLVERS, add_batch_option, change_sampling
from recipes.tts.test_set.score_test import recordings_of
from recipes.tts.test_set.speaking import Speaking, speaking_of
from recipes.tts.test_set.synthesize_test import add_test_options, make_prompt, speak
from recipes.tts.test_set.test_files import Recordings, list_row, spoken_paths, write_recordings

logger = logging.getLogger(__name__)

METRICS = ("wer-w", "sim-ge2e-o", "dnsmos", "rtf")
CFG_SCALES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
NUM_STEPS = (1, 2, 3, 5, 8, 12, 20)
NOISE_SCALES = (0.0, 0.3, 0.6, 1.0)
RULE = "test cuts, each after the utterance before of the same speaker"


@dataclass
class Material:
    """The model and the items that every setting speaks."""

    synthesizer: Synthesizer
    items: Sequence[EvaluationItem]
    out: Path
    speaking: Speaking  # its sampling is replaced by each setting's
    batch_size: int
    sexes: dict[str, str]
    spoken_on: str = ""  # hardware that the lists name
    _recordings: dict[str, Recordings] = field(default_factory=dict)
    _prompts: dict[str, Prompt] = field(default_factory=dict)

    def recordings(self, item: EvaluationItem) -> Recordings:
        """An item's recordings, written once for all settings."""
        name = item.target.id
        if name not in self._recordings:
            self._recordings[name] = write_recordings(self.synthesizer, item, self.out)
        return self._recordings[name]

    def prompt(self, item: EvaluationItem) -> Prompt:
        """An item's voice, encoded once for all settings."""
        name = item.target.id
        if name not in self._prompts:
            self._prompts[name] = make_prompt(
                self.synthesizer, item, self.recordings(item), self.speaking
            )
        return self._prompts[name]

    def rule(self, speaking: Speaking) -> str:
        """The rule of the list in words: what is spoken and how."""
        return f"{RULE}; {speaking.rule(case_rule(self.synthesizer.model.tokenizer))}"


def speak_setting(material: Material, sampling: SamplingConfig) -> EvalList:
    """Speaks the items that this setting has not spoken yet; returns the list of all."""
    folder = material.out / setting_name(sampling)
    speaking = replace(material.speaking, sampling=sampling)
    waiting = [item for item in material.items if not spoken_paths(folder, item).is_done]
    # Rows of one batch should end together.
    waiting.sort(key=lambda item: len(item.target.text))
    for start in range(0, len(waiting), material.batch_size):
        batch = waiting[start : start + material.batch_size]
        speak(
            material.synthesizer, batch, [material.prompt(item) for item in batch], folder, speaking
        )
        num_done = len(material.items) - len(waiting) + start + len(batch)
        logger.info("%s: spoken %d of %d", folder.name, num_done, len(material.items))
    rows = [
        list_row(
            item,
            spoken_paths(folder, item),
            material.recordings(item),
            material.out,
            material.sexes.get(item.target.id),
        )
        for item in material.items
    ]
    rule = material.rule(speaking)
    info = ListInfo("synthesis", rule, root="..", hardware=material.spoken_on)
    write_list(folder / "items.jsonl", rows, info)
    return read_list(folder / "items.jsonl", root=material.out)


def score(
    pairs: Sequence[EvalPair], scorers: Sequence[AudioScorer], path: Path, rule: str
) -> EvalReport:
    """Scores pairs into `path`, or returns the report there if nothing has changed."""
    found = _read_report(path)
    if found is not None and _is_complete(found, pairs, scorers):
        return found
    store = ScoreStore(partial_path(path))
    if found is not None:
        store.take_from(found)
    settings = {"list": {"rule": rule}}
    report = evaluate(
        pairs, scorers, store=store, settings=settings, on_progress=_progress(path.parent.name)
    )
    write_scores(report, path)
    store.remove()
    return report


def sweep_sampling(
    material: Material,
    settings: Sequence[SamplingConfig],
    scorers: Sequence[AudioScorer],
    on_report: Callable[[dict[str, EvalReport]], None],
) -> None:
    """Speaks and scores one setting after another, and the recordings once.

    Args:
        material: what is spoken.
        settings: sampling settings; each gets a folder.
        scorers: metrics, which are prepared once for all settings.
        on_report: called with all reports so far, by name, when one is added.
    """
    reports: dict[str, EvalReport] = {}
    of_audio = [scorer for scorer in scorers if not is_timing(metric_key(scorer))]
    for sampling in settings:
        pairs = speak_setting(material, sampling).pairs()
        if RECORDINGS not in reports and of_audio:
            folder = material.out / RECORDINGS
            folder.mkdir(exist_ok=True)
            # The time of the synthesis does not apply to recordings.
            recorded = [replace(pair, compute_s=None) for pair in recordings_of(pairs)]
            reports[RECORDINGS] = score(recorded, of_audio, folder / "scores.json", RULE)
        name = setting_name(sampling)
        rule = material.rule(replace(material.speaking, sampling=sampling))
        reports[name] = score(pairs, scorers, material.out / name / "scores.json", rule)
        on_report(reports)


def write_report(
    out: Path, grid: Grid, reports: dict[str, EvalReport], runs: Sequence[str]
) -> None:
    """Writes sweep.md and sweep.png of the scores so far; `runs` are lines on how it was spoken."""
    names = [setting_name(one) for one in grid.settings()]
    missing = [name for name in names if name not in reports]
    notes = [f"not scored yet: {', '.join(missing)}"] if missing else []
    lines = [
        "# Sampling settings",
        "",
        *provenance_lines(this_command("recipes.tts.sweep.sampling"), [*runs, *notes]),
        "",
        values_table(grid.settings(), reports),
        differences_table(grid.settings(), reports, grid.base),
        "![sweep](sweep.png)",
    ]
    with atomic_path(out / "sweep.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    plot(grid.sweeps, reports, out / "sweep.png")


def _read_report(path: Path) -> EvalReport | None:
    if not path.is_file():
        return None
    try:
        return EvalReport.read(path)
    except DataError as error:
        logger.warning("scored again: %s", error)
        return None


def _is_complete(
    report: EvalReport, pairs: Sequence[EvalPair], scorers: Sequence[AudioScorer]
) -> bool:
    """Whether a report has all of these metrics for exactly these files, without a failure."""
    return (
        {scorer.name for scorer in scorers} <= {metric.name for metric in report.metrics}
        and [one.fingerprint for one in report.items] == [fingerprint(pair) for pair in pairs]
        and not report.holes
        and not report.failures
    )


def _progress(name: str) -> Callable[[int, int], None]:
    def show(done: int, count: int) -> None:
        if done % 20 == 0 or done == count:
            logger.info("%s: scored %d of %d", name, done, count)

    return show


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_test_options(parser)
    parser.add_argument("--cfg_scales", type=float, nargs="*", default=CFG_SCALES)
    parser.add_argument("--num_steps", type=int, nargs="*", default=NUM_STEPS)
    parser.add_argument("--noise_scales", type=float, nargs="*", default=NOISE_SCALES)
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, help="default: the model's own")
    for name, kind in (("cfg", float), ("steps", int), ("noise", float)):
        told = "of the other sweeps; default: the model's own"
        parser.add_argument(f"--at_{name}", type=kind, help=told)
    add_batch_option(parser)
    parser.add_argument("--metrics", default=",".join(METRICS), help="as in latentspeech score")
    arguments = parser.parse_args()
    base = base_sampling(arguments)
    grid = make_grid(
        base,
        arguments.solvers or [base.solver],
        {
            "cfg_scale": arguments.cfg_scales,
            "num_steps": arguments.num_steps,
            "noise_scale": arguments.noise_scales,
        },
    )
    # A wrong name is reported before the work.
    scorers = make_scorers(arguments.metrics.split(","))
    items = choose_evaluation_items(read_utterances(arguments.cuts), arguments.max_items)
    out = arguments.out
    speaking = speaking_of(arguments, base)
    claim_result_folder(out, sweep_key(speaking, arguments.model))
    device = choose_device(arguments.device)
    spoken_on = f"{hardware()}; spoken on {device}, {arguments.batch_size} at a time"
    synthesizer = Synthesizer.from_directory(arguments.model, device)
    sexes = read_cut_sexes(arguments.cuts)
    material = Material(synthesizer, items, out, speaking, arguments.batch_size, sexes, spoken_on)
    runs = [
        f"{len(items)} {RULE}, the same noise in every setting",
        f"at the base setting {speaking.rule(case_rule(synthesizer.model.tokenizer))}",
        f"RTF: {spoken_on}, beside what else ran there",
    ]
    sweep_sampling(
        material, grid.settings(), scorers, lambda found: write_report(out, grid, found, runs)
    )
    print((out / "sweep.md").read_text(encoding="utf-8"))


def base_sampling(arguments: argparse.Namespace) -> SamplingConfig:
    """The base of the sweeps: the model's sampling with the values that options give."""
    names = {"at_cfg": "cfg_scale", "at_steps": "num_steps", "at_noise": "noise_scale"}
    given = {setting: getattr(arguments, name) for name, setting in names.items()}
    changes = {setting: value for setting, value in given.items() if value is not None}
    return change_sampling(read_tts_config(arguments.model).sampling, **changes)


def sweep_key(speaking: Speaking, model: Path) -> dict[str, Any]:
    """The key of what all settings have in common."""
    key = speaking.key(model)
    del key["sampling"]
    return key


if __name__ == "__main__":
    run_recipe(main)

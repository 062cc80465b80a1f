"""Scores a model of pages on language tasks with lm-eval, from task files on this machine.

A task is a YAML file of --task_dir in lm-eval's format. Nothing is downloaded: its `dataset_path`
is json, and `dataset_kwargs.data_files` names files of yours. For the paper's Table 7 these are
ARC-C, ARC-E, HellaSwag, OBQA, PIQA and Winogrande (docs/multimodal.md).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from latentspeech.core.command import run_recipe
from latentspeech.core.device import choose_device
from latentspeech.core.errors import DataError
from latentspeech.core.extras import require
from latentspeech.core.storage.files import write_json
from latentvision.mllm.page_writer import PageWriter


class TaskScore(NamedTuple):
    """One metric of a task."""

    metric: str  # as lm-eval calls it, such as "acc" or "acc_norm"
    value: float
    std_error: float | None
    num_items: int


def run_tasks(
    writer: PageWriter, tasks: Sequence[str], task_dir: Path, limit: int | None
) -> dict[str, list[TaskScore]]:
    """The scores of each task, without examples in the context unless the task's file has some.

    Raises:
        DataError: `task_dir` has no task of a name.
    """
    import lm_eval
    from lm_eval.tasks import TaskManager

    from latentvision.mllm.lm_eval_model import EvalModel

    manager = TaskManager(include_path=str(task_dir), include_defaults=False)
    if unknown := sorted(set(tasks) - set(manager.all_tasks)):
        raise DataError(
            f"{task_dir} has no tasks {', '.join(unknown)}; it has "
            f"{', '.join(sorted(manager.all_tasks)) or 'none'}: name one, or add its YAML file"
        )
    found: Any = lm_eval.simple_evaluate(
        model=EvalModel(writer), tasks=list(tasks), task_manager=manager, limit=limit
    )
    counts = found["n-samples"]
    return {name: _scores(found["results"][name], counts[name]["effective"]) for name in tasks}


def _scores(values: dict[str, Any], num_items: int) -> list[TaskScore]:
    """The metrics of a task; lm-eval's keys are "acc,none" and "acc_stderr,none"."""
    scores = []
    for key, value in values.items():
        metric, comma, filtered = key.partition(",")
        if not comma or metric.endswith("_stderr"):
            continue
        error = values.get(f"{metric}_stderr,{filtered}")
        known = float(error) if isinstance(error, float) else None
        scores.append(TaskScore(metric, float(value), known, num_items))
    return scores


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--tasks", required=True, help="names, with spaces")
    parser.add_argument("--task_dir", type=Path, required=True, help="folder of YAML files")
    parser.add_argument("--limit", type=int, help="items of each task, the first")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    a = parser.parse_args()
    require("lm_eval", "language", "a language task")
    writer = PageWriter.from_directory(a.model, choose_device(a.device))
    scores = run_tasks(writer, a.tasks.split(), a.task_dir, a.limit)
    rows = {task: [score._asdict() for score in of_task] for task, of_task in scores.items()}
    write_json(a.out, {"model": writer.name, "tasks": rows})


if __name__ == "__main__":
    run_recipe(main)

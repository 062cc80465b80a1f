"""The training loop, for every task.

A step takes `accumulation` batches and runs the task's turns over them one after the other; each
turn ends in one optimizer step. All randomness of a step derives from (run seed, stream, step), so
a checkpoint needs no generator state and a resumed run equals an uninterrupted one bit for bit.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.data.train_data import TrainData
from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.storage.provenance import git_commit
from latentspeech.core.tensors import make_generator
from latentspeech.core.train.batches import Plan, PlannedBatch, load_batches
from latentspeech.core.train.block_transforms import prepare_units
from latentspeech.core.train.metric_log import MetricLog, MetricMean, merge_means
from latentspeech.core.train.optim import build_optimizers
from latentspeech.core.train.optimizer_turn import (
    NonFiniteError,
    StepBatches,
    TurnContext,
    run_turn,
)
from latentspeech.core.train.processes.launcher import Launcher, Precision, Strategy
from latentspeech.core.train.processes.peer_watch import PeerWatch
from latentspeech.core.train.processes.stop import StopRequest
from latentspeech.core.train.progress import TrainProgress
from latentspeech.core.train.run_config import (
    check_same_config,
    config_hash,
    plain,
    write_config,
)
from latentspeech.core.train.state.checkpoint import (
    RunState,
    clean_checkpoints,
    newest_checkpoint,
)
from latentspeech.core.train.state.ema import Ema
from latentspeech.core.train.state.trained_tensors import TrainedTensors
from latentspeech.core.train.task import Task

logger = logging.getLogger(__name__)

CONFIG_NAME = "config.yaml"

Ending = Literal["max_seconds", "signal", "max_steps"]
# If processes end for different reasons, all report the one that comes last here.
ENDINGS: tuple[Ending, ...] = ("max_seconds", "signal", "max_steps")


class TrainConfig(Config):
    """Length, intervals, precision and hardware of a training run."""

    seed: int = Field(default=0, ge=0, description="run seed; all randomness derives from it")
    max_steps: int = Field(ge=1, description="steps of the whole run")
    max_seconds: float = Field(
        default=0.0,
        ge=0,
        description="seconds after which to stop, all resumes together; 0 for no limit",
    )
    log_every: int = Field(default=50, ge=1, description="steps between two log lines")
    validate_every: int = Field(default=1000, ge=1, description="steps between two validations")
    checkpoint_every: int = Field(default=1000, ge=1, description="steps between two checkpoints")
    keep_checkpoints: int = Field(default=3, ge=1, description="checkpoints kept, the newest ones")
    accumulation: int = Field(default=1, ge=1, description="batches of each process in a step")
    precision: Precision = Field(
        default="32",
        description="bf16 is autocast, weights stay float32; auto: bf16 where the hardware has it",
    )
    strategy: Strategy = Field(
        default="ddp",
        description="with several processes, each holds all weights (ddp) or a slice (fsdp: FSDP2)",
    )
    activation_checkpointing: bool = Field(
        default=False, description="compute blocks again in backward instead of keeping activations"
    )
    compile: bool = Field(default=False, description="torch.compile for each block")
    skip_non_finite: int = Field(
        default=0,
        ge=0,
        description="steps in a row that may be dropped because a loss or gradient is not finite",
    )
    peer_timeout_s: float = Field(
        default=120.0, ge=5, description="silence after which another process counts as lost"
    )
    num_workers: int = Field(
        default=0, ge=0, description="processes that load batches ahead; 0 for none"
    )
    ema_decay: float = Field(
        default=0.999, ge=0, lt=1, description="final decay of the averaged weights"
    )
    devices: int = Field(default=0, ge=0, description="GPUs of each node; 0 trains on the CPU")
    num_nodes: int = Field(default=1, ge=1, description="machines")
    num_threads: int = Field(
        default=0, ge=0, description="CPU threads of each process; 0 for torch's own"
    )


class TrainResult(NamedTuple):
    """The state in which a call of `train` ended, and the reason."""

    step: int
    seconds: float
    reason: Ending


class _Job(NamedTuple):
    """The arguments of `train` that all its parts share."""

    task: Task
    train_data: TrainData
    valid_data: TrainData | None
    config: TrainConfig
    exp_dir: Path


def train(
    task: Task,
    train_data: TrainData,
    valid_data: TrainData | None,
    config: TrainConfig,
    exp_dir: Path,
    run_config: Mapping[str, Any],
    resume: bool = True,
) -> TrainResult:
    """Trains until `max_steps`, `max_seconds` or a signal; resumes from the newest checkpoint.

    Args:
        run_config: the resolved configuration of the whole run, which is written to config.yaml. On
            resume it must be the same, except for keys that do not change what a step computes.
        resume: False refuses a folder that already holds checkpoints.
    """
    if config.num_threads:
        torch.set_num_threads(config.num_threads)
    launcher = Launcher(config.devices, config.num_nodes, config.precision, config.strategy)
    # StopRequest comes first: torchrun sends SIGTERM while the watch finds out who was lost.
    with (
        StopRequest() as stop,
        PeerWatch(launcher.rank, launcher.world_size, config.peer_timeout_s),
    ):
        state, path = _open_run(launcher, exp_dir, run_config, resume)
        job = _Job(task, train_data, valid_data, config, exp_dir)
        return _train(job, launcher, stop, state, path)


def _train(
    job: _Job, launcher: Launcher, stop: StopRequest, state: RunState, path: Path | None
) -> TrainResult:
    """Runs the loop from `state`, whose tensors are in the checkpoint `path` if there is one."""
    config, task = job.config, job.task
    prepare_units(task, config.activation_checkpointing, config.compile)
    turns = TurnContext(task, launcher.wrap(task), launcher, config.seed, job.exp_dir)
    ema = Ema(task.averaged_module(), config.ema_decay)
    trained = TrainedTensors(task, ema, build_optimizers(task.optimizer_specs(), task))
    if path is not None:
        trained.load(path)
    accumulation = config.accumulation
    plan = Plan(job.train_data, config.seed, launcher.rank, launcher.world_size, accumulation)
    plan.start_at(state.epoch, state.window, state.index)
    batches = load_batches(job.train_data, plan, config.num_workers, launcher.device)
    means = MetricMean()
    started = time.monotonic() - state.seconds
    skipped = 0
    ending = _ending(state, config, signal="")

    with (
        MetricLog(job.exp_dir, state.step, launcher.is_main) as log,
        TrainProgress(state.step, config.max_steps, launcher.is_main) as bar,
    ):
        task.train()
        while not ending:
            began = time.monotonic()
            current = _take(batches, state, accumulation)
            means.add({"time/data_s": time.monotonic() - began})
            try:
                _step(turns, trained, current, means)
                skipped = 0
            except NonFiniteError as error:
                skipped += 1
                if skipped > config.skip_non_finite:
                    trained.save(launcher, job.exp_dir, state, config.keep_checkpoints)
                    raise
                if launcher.is_main:
                    allowed = config.skip_non_finite
                    logger.warning("%s; dropped, %d of %d in a row", error, skipped, allowed)
            means.add({"time/step_s": time.monotonic() - began})
            state = _advance(state, current.planned[-1], time.monotonic() - started)
            bar.advance(state.step)

            last = state.step >= config.max_steps
            if last or state.step % config.log_every == 0:
                merged = merge_means(launcher.gather(means.take()))
                log.write(state.step, state.seconds, merged)
                bar.report(state.step, merged)
            if job.valid_data is not None and (last or state.step % config.validate_every == 0):
                scores = _validate(job, job.valid_data, ema, launcher)
                log.write(state.step, state.seconds, scores)
                bar.report(state.step, scores)
            ending = launcher.maximum(_ending(state, config, stop.name))
            if ending or state.step % config.checkpoint_every == 0:
                trained.save(launcher, job.exp_dir, state, config.keep_checkpoints)
    return _farewell(state, config, ending, stop.name)


def _step(
    context: TurnContext, trained: TrainedTensors, batches: StepBatches, means: MetricMean
) -> None:
    """Runs all turns over the batches, then updates the averaged weights."""
    for turn in trained.task.turns(batches.step):
        for metrics in run_turn(context, trained.optimizers[turn], batches):
            means.add(metrics)
    trained.ema.update(batches.step)


def _ending(state: RunState, config: TrainConfig, signal: str) -> int:
    """1 + the index in ENDINGS of this process's reason to stop; 0 if it has none."""
    if state.step >= config.max_steps:
        return 3
    if signal:
        return 2
    return int(0 < config.max_seconds <= state.seconds)


def _farewell(state: RunState, config: TrainConfig, ending: int, signal: str) -> TrainResult:
    reason = ENDINGS[ending - 1]
    if reason == "max_seconds":
        text = "stopped after step %d of %d: max_seconds = %g is used up; raise it to go on"
        logger.warning(text, state.step, config.max_steps, config.max_seconds)
    elif reason == "signal":
        text = "stopped after step %d of %d by %s, checkpoint written; the same command goes on"
        logger.warning(text, state.step, config.max_steps, signal or "another process")
    return TrainResult(state.step, state.seconds, reason)


def _open_run(
    launcher: Launcher, exp_dir: Path, run_config: Mapping[str, Any], resume: bool
) -> tuple[RunState, Path | None]:
    """Makes the run folder, writes config.yaml and finds the checkpoint to resume from."""
    if exp_dir.exists() and not exp_dir.is_dir():
        raise InputError(f"{exp_dir} is a file; expected the name of a folder for the training run")
    if launcher.is_main:
        exp_dir.mkdir(parents=True, exist_ok=True)
        clean_checkpoints(exp_dir)
    launcher.barrier()
    found = newest_checkpoint(exp_dir)
    if found is not None:
        if not resume:
            raise CheckpointError(
                f"{exp_dir} already holds {found.path.name}; resume it or use another folder"
            )
        check_same_config(found.state.config, run_config, found.path)
        if found.state.world_size != launcher.world_size:
            raise CheckpointError(
                f"{found.path} was trained by {found.state.world_size} processes, now there are "
                f"{launcher.world_size}; start as many as before or train into another folder"
            )
        logger.info("going on from %s", found.path)
    launcher.barrier()
    if launcher.is_main:
        write_config(exp_dir / CONFIG_NAME, run_config)
    record = {
        "world_size": launcher.world_size,
        "git_commit": git_commit(),
        "config": plain(run_config),
        "config_hash": config_hash(run_config),
    }
    state = RunState() if found is None else found.state
    return state.model_copy(update=record), None if found is None else found.path


def _take(batches: Iterator[tuple[PlannedBatch, Any]], state: RunState, count: int) -> StepBatches:
    pairs = [next(batches) for _ in range(count)]
    return StepBatches(state.step, [pair[0] for pair in pairs], [pair[1] for pair in pairs])


def _advance(state: RunState, done: PlannedBatch, seconds: float) -> RunState:
    """The state after a step whose last batch was `done`."""
    return state.model_copy(
        update={
            "step": state.step + 1,
            "epoch": done.epoch,
            "window": done.window,
            "index": done.position + 1,
            "seconds": seconds,
        }
    )


@torch.no_grad()
def _validate(job: _Job, data: TrainData, ema: Ema, launcher: Launcher) -> dict[str, float]:
    """Returns the mean metrics of the averaged weights; every validation has the same noise."""
    task, config = job.task, job.config
    plan = Plan(data, config.seed, launcher.rank, launcher.world_size, stream="valid-data")
    share = plan.whole_epoch(epoch=0)
    # A forward pass under fsdp needs all processes, so those with fewer batches repeat one without
    # counting it.
    own = len(share)
    spares = [planned for part in launcher.gather(share[:1]) for planned in part]
    share += spares[:1] * (launcher.maximum(own) - own)
    means = MetricMean()
    task.eval()
    with ema.applied():
        batches = load_batches(data, share, config.num_workers, launcher.device)
        for number, (planned, batch) in enumerate(batches):
            place = planned.position * launcher.world_size + launcher.rank
            generator = make_generator(config.seed, "valid", place)
            with launcher.autocast():
                scores = task.validation_step(batch, generator)
            means.add(scores if number < own else {})
    task.train()
    return merge_means(launcher.gather(means.take()))

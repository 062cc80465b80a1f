"""A tiny task with two turns, dropout and noise, and its data; main trains it.

Words: EXP_DIR MAX_STEPS CHECKPOINT_EVERY SECONDS_PER_BATCH [key=value ...]
"""

import json
import os
import sys
import time
from pathlib import Path

import torch
from torch import nn

from latentspeech.core.train.engine import TrainConfig, TrainResult, train
from latentspeech.core.train.optim import OptimizerConfig, OptimizerSpec
from latentspeech.core.train.task import Losses, Task, Unit

DIM = 6


class ToyData:
    def __init__(
        self,
        num_items=24,
        batch_size=4,
        seed=0,
        sleep_s=0.0,
        bad_item=None,
        shuffle=True,
        window_items=None,
    ):
        self.num_items, self.batch_size, self.seed = num_items, batch_size, seed
        self.sleep_s, self.bad_item, self.shuffle = sleep_s, bad_item, shuffle
        self.items_log = None  # file name; the rank is added
        self.window_items = window_items or num_items
        self.loaded = []

    def num_windows(self):
        return -(-self.num_items // self.window_items)

    def plan(self, epoch, window):
        order = torch.arange(self.num_items).split(self.window_items)[window]
        if self.shuffle:
            generator = torch.Generator().manual_seed(1000 * self.seed + 100 * window + epoch)
            order = order[torch.randperm(len(order), generator=generator)]
        return [part.tolist() for part in order.split(self.batch_size)]

    def load(self, indices, seed):
        self.loaded.append((tuple(indices), seed))
        if self.items_log is not None:
            with Path(f"{self.items_log}.{os.environ.get('RANK', '0')}").open("a") as log:
                log.write(f"{indices}\n")
        time.sleep(self.sleep_s)
        rows = [
            torch.randn(DIM, generator=torch.Generator().manual_seed(index)) for index in indices
        ]
        batch = torch.stack(rows)
        if self.bad_item in indices:
            batch[0, 0] = float("nan")
        return {"x": batch, "id": torch.tensor(indices)}


class ToyTask(Task):
    def __init__(self, seed=0, dropout=0.2, noise=0.1, critic_from=1, clip_norm=1.0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.model = nn.Sequential(
                nn.Linear(DIM, DIM), nn.Tanh(), nn.Dropout(dropout), nn.Linear(DIM, DIM)
            )
            self.critic = nn.Linear(DIM, 1)
            self.model.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.noise, self.critic_from, self.clip_norm = noise, critic_from, clip_norm
        self.autocast_dtypes = set()

    def optimizer_specs(self):
        model = OptimizerConfig(
            lr=0.01,
            weight_decay=0.1,
            warmup_steps=2,
            schedule="cosine",
            total_steps=50,
            clip_norm=self.clip_norm,
        )
        critic = OptimizerConfig(lr=0.02, clip_norm=self.clip_norm)
        return {
            "model": OptimizerSpec(self.model, model),
            "critic": OptimizerSpec(self.critic, critic),
        }

    def units(self):
        return [Unit(self.model)]

    def turns(self, step):
        return ("critic", "model") if step >= self.critic_from else ("model",)

    def training_step(self, batch, turn, step, generator):
        x = batch["x"]
        noise = torch.randn(x.shape, generator=generator)
        out = self.model(x + self.noise * noise)
        self.autocast_dtypes.add(out.dtype)
        if turn == "critic":
            loss = (self.critic(x) - 1).square().mean() + self.critic(out.detach()).square().mean()
            return Losses({"critic": loss}, {"train/critic_loss": loss.detach()})
        self.model.count += 1
        l2 = (out.float() - x.flip(1)).square().mean()
        loss = l2 + 0.1 * (self.critic(out) - 1).square().mean()
        return Losses({"model": loss}, {"train/model_loss": loss.detach(), "train/l2": l2.detach()})

    def validation_step(self, batch, generator):
        x = batch["x"] + self.noise * torch.randn(batch["x"].shape, generator=generator)
        return {"valid/l2": (self.model(x).float() - batch["x"].flip(1)).square().mean()}

    def averaged_module(self):
        return self.model


def run(
    exp_dir, max_steps, task=None, data=None, resume=True, validate_data=None, **settings
) -> TrainResult:
    values = {"log_every": 1, "validate_every": 4, "checkpoint_every": 2, "ema_decay": 0.9}
    config = TrainConfig(**{**values, "seed": 7, "max_steps": max_steps, **settings})
    return train(
        task or ToyTask(),
        data or ToyData(),
        validate_data or ToyData(num_items=8, seed=5),
        config,
        exp_dir,
        {"train": config.model_dump(mode="json"), "toy": {"dim": DIM}},
        resume=resume,
    )


def lines(exp_dir):
    return [json.loads(line) for line in (exp_dir / "metrics.jsonl").read_text().splitlines()]


def untimed(exp_dir):
    """The metric lines without what a clock decides."""
    return [
        {k: v for k, v in line.items() if k != "seconds" and not k.startswith("time/")}
        for line in lines(exp_dir)
    ]


def main(words: list[str]) -> int:
    """Trains as the words say; returns the exit status."""
    torch.set_num_threads(1)
    folder, steps, every, sleep = words[:4]
    extra = {key: json.loads(value) for key, value in (a.split("=") for a in words[4:])}
    data = ToyData(sleep_s=float(sleep), batch_size=extra.pop("batch_size", 4))
    task = ToyTask(**{k: extra.pop(k) for k in ("dropout", "noise") if k in extra})
    result = run(
        Path(folder), int(steps), task=task, data=data, checkpoint_every=int(every), **extra
    )
    sys.stdout.write(result.reason + "\n")
    return 0

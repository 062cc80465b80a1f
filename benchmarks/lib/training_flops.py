"""Computes the floating-point operations of a training step from sizes alone.

A product with a matrix of W weights costs 2 W for each row forward and twice that backward, in sum
6 W.

TTS takes, for U utterances of E elements, A of them latents, R noise draws, d the model width:

    6 U (E W_backbone + A (W_condition + R W_head) + A D d + decisions V d)
      + layers 6 U E^2 H Dh

The last term is attention. Its query-key and value products cost 4 E^2 H Dh forward for all pairs;
causal order halves this, and backward costs twice as much as forward. Embedding look-ups, norms and
activations are not counted.

For the codec, torch's FlopCounterMode counts matrix products, convolutions and their backward
passes in a step over tensors without content, in both turns.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from latentspeech.core.diffusion.head import DiffusionHead
from latentspeech.core.lm.config import LatentLMConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.train.optim import build_optimizers
from latentspeech.core.train.task import Task
from latentspeech.tts.model import SPEECH


class SpeechSizes(NamedTuple):
    """A batch of equal utterances."""

    utterances: int
    elements: int  # tokens and latents of one utterance
    latents: int  # latents of one utterance
    decisions: int  # decisions of the softmax head in one utterance


def tts_flops(config: LatentLMConfig, sizes: SpeechSizes) -> float:
    """Computes the operations of one step over these utterances."""
    with torch.device("meta"):
        model = LatentLM(config)
    head = model.diffusion(SPEECH).head
    backbone = config.backbone
    draws = config.modalities[SPEECH].diffusion.loss.num_noise_draws
    matrices = sizes.elements * _weights(model.backbone)
    matrices += sizes.latents * (_weights(head.condition) + draws * _drawn_weights(head))
    matrices += sizes.latents * _weights(model.input_projections)
    matrices += sizes.decisions * config.vocab_size * backbone.model_dim
    attention = backbone.num_layers * sizes.elements**2 * backbone.num_heads * backbone.head_dim
    return 6.0 * sizes.utterances * (matrices + attention)


def codec_flops(task: Task, num_samples: int, step: int) -> float:
    """Counts the operations of one step over one row of audio.

    The task loses its weights and cannot be used afterwards.
    """
    mode = FakeTensorMode()
    for module in task.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                fake = mode.from_tensor(parameter.detach())
                module._parameters[name] = nn.Parameter(fake, parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = mode.from_tensor(buffer)
    optimizers = build_optimizers(task.optimizer_specs(), task)
    with mode, FlopCounterMode(display=False) as counter:
        audio = torch.empty(1, num_samples)
        for turn in task.turns(step):
            with optimizers[turn].others_frozen():
                losses = task.training_step(audio, turn, step, torch.Generator())
                torch.autograd.backward(losses.total)
    return float(counter.get_total_flops())


def _weights(module: nn.Module) -> int:
    """Returns the number of weights in matrices."""
    return sum(p.numel() for p in module.parameters() if p.dim() == 2)


def _drawn_weights(head: DiffusionHead) -> int:
    """Returns the number of weights that every noise draw uses."""
    return _weights(head) - _weights(head.condition)

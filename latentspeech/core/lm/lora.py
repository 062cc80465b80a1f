"""Low-rank adapters on a LatentLM: y = W x + (alpha / rank) B A x, where only A and B are trained.

The method is LoRA (Hu et al., 2021, arXiv 2106.09685); the layers are those of the `peft` package.
B starts at zero, so the model's output is unchanged at first. `merge_lora` adds the products to W,
which leaves a plain model.
"""

import importlib.util

from pydantic import Field
from torch import nn

from latentspeech.core.config import Config
from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.latent_lm import LatentLM


class LoRAConfig(Config):
    """The layers that are adapted, and the strength of the adapters."""

    rank: int = Field(8, ge=1, description="inner width of an adapter")
    alpha: float = Field(16.0, gt=0, description="the adapter's output is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the adapter's input")
    attention: bool = Field(True, description="adapt the attention of the backbone")
    feed_forward: bool = Field(True, description="adapt the backbone's feed-forward networks")
    head: bool = Field(False, description="adapt the diffusion heads' blocks too")


def add_lora(model: LatentLM, config: LoRAConfig) -> None:
    """Freezes `model` and puts an adapter beside each of the chosen layers, in place.

    Raises ConfigError if no layer is chosen or peft is not installed.
    """
    names = adapted_layers(model, config)
    if not names:
        raise ConfigError(
            "lora adapts no layer; set one of lora.attention, lora.feed_forward and lora.head"
        )
    if importlib.util.find_spec("peft") is None:
        raise ConfigError("LoRA needs the package peft; run: pip install 'latentspeech[train]'")
    from peft import LoraConfig, inject_adapter_in_model

    model.requires_grad_(False)
    # In a container, since peft would read the model's `config` as one of transformers.
    inject_adapter_in_model(
        LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=[f"0.{name}" for name in names],
        ),
        nn.ModuleList([model]),
    )


def adapted_layers(model: LatentLM, config: LoRAConfig) -> list[str]:
    """The linear layers that get an adapter, by name in `model`."""
    chosen = {
        "attention": config.attention,
        "ffn": config.feed_forward,
        "blocks": config.head,  # only diffusion heads have `blocks`; the backbone has `layers`
    }
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and chosen.get(_kind_of_layer(name), False)
    ]


def _kind_of_layer(name: str) -> str:
    """The part of a block that a layer belongs to: "backbone.layers.0.ffn.up" -> "ffn"."""
    part, *rest = name.split(".")
    known = ("attention", "ffn") if part == "backbone" else ("blocks",)
    return next((part for part in rest if part in known), "")


def adapters(model: LatentLM) -> nn.Module:
    """Returns a module that holds the trainable parameters of `model`, by the same names."""
    root = nn.Module()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            *path, last = name.split(".")
            holder = root
            for part in path:
                if part not in dict(holder.named_children()):
                    holder.add_module(part, nn.Module())
                holder = holder.get_submodule(part)
            holder.register_parameter(last, parameter)
    return root


def merge_lora(model: LatentLM) -> None:
    """Adds the adapters to the weights and removes them, in place, which leaves a plain model."""
    from peft.tuners.lora import LoraLayer

    for name, layer in list(model.named_modules()):
        if isinstance(layer, LoraLayer):
            layer.merge(safe_merge=True)
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, layer.get_base_layer())
    model.requires_grad_(True)

"""Tiny random recognisers and speaker models, saved in the file formats of the published ones."""

import json
from pathlib import Path

import torch

TDNN_DIMS = {
    "num_layers": 3,
    "num_heads": 2,
    "model_dim": 32,
    "ffn_dim": 48,
    "conv_dim": 16,
    "channels": 32,
    "embedding_dim": 24,
}


def save_hubert(folder: Path) -> None:
    """Saves in the format of facebook/hubert-large-ls960-ft.

    That is a pickled state dict with the old weight-norm names.
    """
    from transformers import HubertConfig, HubertForCTC

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    tokenizer = {**special, "do_lower_case": False, "word_delimiter_token": "|"}
    _write(folder / "vocab.json", {word: index for index, word in enumerate(vocabulary)})
    _write(folder / "special_tokens_map.json", special)
    _write(folder / "tokenizer_config.json", tokenizer)
    _write(folder / "preprocessor_config.json", _extractor(do_normalize=True))
    torch.manual_seed(0)
    config = HubertConfig(vocab_size=32, conv_bias=True, **_encoder())
    _save_old_style(HubertForCTC(config), folder)


def save_wavlm_sv(folder: Path) -> None:
    """Saves in the format of microsoft/wavlm-base-plus-sv."""
    from transformers import WavLMConfig, WavLMForXVector

    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "preprocessor_config.json", _extractor(do_normalize=False))
    torch.manual_seed(1)
    encoder = {**_encoder(), "do_stable_layer_norm": False}
    heads = {"tdnn_dim": (24, 24, 24, 24, 48), "xvector_output_dim": 20}
    config = WavLMConfig(num_labels=3, use_weighted_layer_sum=True, **encoder, **heads)
    _save_old_style(WavLMForXVector(config), folder)


def save_wavlm_tdnn(path: Path) -> dict[str, torch.Tensor]:
    """Saves in the format of UniSpeech's wavlm_large_finetune.pth; returns tensors by name."""
    from transformers import WavLMConfig, WavLMModel

    path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(2)
    dims = TDNN_DIMS
    config = WavLMConfig(
        hidden_size=dims["model_dim"],
        num_hidden_layers=dims["num_layers"],
        num_attention_heads=dims["num_heads"],
        intermediate_size=dims["ffn_dim"],
        conv_dim=(dims["conv_dim"],) * 7,
        conv_bias=False,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
    )
    model = WavLMModel(config)
    tensors = {
        f"feature_extract.model.{_first_release_name(name)}": tensor
        for name, tensor in model.state_dict().items()
    }
    tensors.update(_tdnn_head(dims))
    tensors = {name: _disturb(name, tensor) for name, tensor in tensors.items()}
    tensors["loss_calculator.projection.weight"] = torch.randn(5, dims["embedding_dim"])
    torch.save({"model": tensors, "best_valid_eer": 100.0}, path)
    return tensors


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


def _encoder() -> dict[str, object]:
    return {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "conv_dim": (16,) * 7,
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
    }


def _extractor(do_normalize: bool) -> dict[str, object]:
    return {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "sampling_rate": 16000,
        "padding_value": 0.0,
        "padding_side": "right",
        "do_normalize": do_normalize,
        "return_attention_mask": True,
    }


def _save_old_style(model: torch.nn.Module, folder: Path) -> None:
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    torch.save(
        {_old_weight_norm(name): tensor for name, tensor in model.state_dict().items()},
        folder / "pytorch_model.bin",
    )


def _old_weight_norm(name: str) -> str:
    return name.replace("parametrizations.weight.original0", "weight_g").replace(
        "parametrizations.weight.original1", "weight_v"
    )


def _first_release_name(name: str) -> str:
    """transformers' name of a WavLM tensor -> the name in Microsoft's own release."""
    name = _old_weight_norm(name)
    if name.startswith("feature_extractor."):
        return name.replace(".conv.", ".0.").replace(".layer_norm.", ".2.1.")
    if name.startswith("encoder.layers."):
        return _first_release_layer_name(name)
    return {
        "masked_spec_embed": "mask_emb",
        "feature_projection.layer_norm.weight": "layer_norm.weight",
        "feature_projection.layer_norm.bias": "layer_norm.bias",
        "feature_projection.projection.weight": "post_extract_proj.weight",
        "feature_projection.projection.bias": "post_extract_proj.bias",
        "encoder.pos_conv_embed.conv.bias": "encoder.pos_conv.0.bias",
        "encoder.pos_conv_embed.conv.weight_g": "encoder.pos_conv.0.weight_g",
        "encoder.pos_conv_embed.conv.weight_v": "encoder.pos_conv.0.weight_v",
        "encoder.layer_norm.weight": "encoder.layer_norm.weight",
        "encoder.layer_norm.bias": "encoder.layer_norm.bias",
    }[name]


def _first_release_layer_name(name: str) -> str:
    layer, part = name.split(".", 3)[2:]
    for ours, theirs in (
        ("attention.gru_rel_pos_linear", "self_attn.grep_linear"),
        ("attention.gru_rel_pos_const", "self_attn.grep_a"),
        ("attention.rel_attn_embed", "self_attn.relative_attention_bias"),
        ("attention.", "self_attn."),
        ("layer_norm", "self_attn_layer_norm"),
        ("feed_forward.intermediate_dense", "fc1"),
        ("feed_forward.output_dense", "fc2"),
    ):
        if part.startswith(ours):
            return f"encoder.layers.{layer}.{theirs}{part[len(ours) :]}"
    return f"encoder.layers.{layer}.{part}"


def _tdnn_head(dims: dict[str, int]) -> dict[str, torch.Tensor]:
    channels, width, joined = dims["channels"], dims["channels"] // 8, 1536
    shapes = {
        "feature_weight": (dims["num_layers"] + 1,),
        "layer1.conv.weight": (channels, dims["model_dim"], 5),
        "layer1.conv.bias": (channels,),
        "conv.weight": (joined, 3 * channels, 1),
        "conv.bias": (joined,),
        "pooling.linear1.weight": (128, joined, 1),
        "pooling.linear1.bias": (128,),
        "pooling.linear2.weight": (joined, 128, 1),
        "pooling.linear2.bias": (joined,),
        "linear.weight": (dims["embedding_dim"], 2 * joined),
        "linear.bias": (dims["embedding_dim"],),
    }
    norms = {"layer1.bn": channels, "bn": 2 * joined}
    for layer in ("layer2", "layer3", "layer4"):
        for part in ("Conv1dReluBn1", "Conv1dReluBn2"):
            shapes[f"{layer}.{part}.conv.weight"] = (channels, channels, 1)
            shapes[f"{layer}.{part}.conv.bias"] = (channels,)
            norms[f"{layer}.{part}.bn"] = channels
        for scale in range(7):
            prefix = f"{layer}.Res2Conv1dReluBn"
            shapes[f"{prefix}.convs.{scale}.weight"] = (width, width, 3)
            shapes[f"{prefix}.convs.{scale}.bias"] = (width,)
            norms[f"{prefix}.bns.{scale}"] = width
        shapes[f"{layer}.SE_Connect.linear1.weight"] = (128, channels)
        shapes[f"{layer}.SE_Connect.linear1.bias"] = (128,)
        shapes[f"{layer}.SE_Connect.linear2.weight"] = (channels, 128)
        shapes[f"{layer}.SE_Connect.linear2.bias"] = (channels,)
    tensors = {name: torch.randn(shape) * 0.2 for name, shape in shapes.items()}
    for name, size in norms.items():
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{name}.{part}"] = torch.zeros(size)
        tensors[f"{name}.num_batches_tracked"] = torch.tensor(7)
    return tensors


def _disturb(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Randomizes norms and biases: in fresh models they are 1 and 0, which hides a wrong name."""
    if not tensor.is_floating_point():
        return tensor
    if name.endswith("running_var") or (tensor.dim() == 1 and name.endswith("weight")):
        return torch.empty_like(tensor).uniform_(0.5, 1.5)
    if tensor.dim() == 1:
        return torch.randn_like(tensor) * 0.1
    return tensor

"""Renames the tensors of UniSpeech's checkpoint to the names in `WavLmTdnnModel`.

In the file WavLM's tensors have the names of its first release (`feature_extract.model.*`), and the
head's tensors those of its training code. A name that matches no line of these tables stays as it
is, so that strict loading refuses it.
"""

import re

from torch import Tensor

_TRAINING_ONLY = "loss_calculator."  # the classifier over the training speakers

# (pattern, replacement) for the start of a name; the first pattern that matches is used.
_RENAMED = [
    (r"feature_extract\.model\.mask_emb", "wavlm.masked_spec_embed"),
    (
        r"feature_extract\.model\.feature_extractor\.conv_layers\.(\d+)\.0\.",
        r"wavlm.feature_extractor.conv_layers.\1.conv.",
    ),
    (
        r"feature_extract\.model\.feature_extractor\.conv_layers\.(\d+)\.2\.1\.",
        r"wavlm.feature_extractor.conv_layers.\1.layer_norm.",
    ),
    (r"feature_extract\.model\.layer_norm\.", "wavlm.feature_projection.layer_norm."),
    (r"feature_extract\.model\.post_extract_proj\.", "wavlm.feature_projection.projection."),
    (
        r"feature_extract\.model\.encoder\.pos_conv\.0\.weight_g",
        "wavlm.encoder.pos_conv_embed.conv.parametrizations.weight.original0",
    ),
    (
        r"feature_extract\.model\.encoder\.pos_conv\.0\.weight_v",
        "wavlm.encoder.pos_conv_embed.conv.parametrizations.weight.original1",
    ),
    (r"feature_extract\.model\.encoder\.pos_conv\.0\.", "wavlm.encoder.pos_conv_embed.conv."),
    (r"feature_extract\.model\.encoder\.layer_norm\.", "wavlm.encoder.layer_norm."),
    (r"feature_extract\.model\.encoder\.layers\.", "wavlm.encoder.layers."),
    (r"feature_weight", "head.layer_weights"),
    (r"layer1\.", "head.enter."),
    (r"layer2\.", "head.blocks.0."),
    (r"layer3\.", "head.blocks.1."),
    (r"layer4\.", "head.blocks.2."),
    (r"conv\.", "head.join."),
    (r"pooling\.linear1\.", "head.pooling.hidden."),
    (r"pooling\.linear2\.", "head.pooling.score."),
    (r"bn\.", "head.pooled_norm."),
    (r"linear\.", "head.embed."),
]
# (pattern, replacement) for parts anywhere in a name; all of them are applied.
_PARTS = [
    (r"\.self_attn\.grep_linear\.", ".attention.gru_rel_pos_linear."),
    (r"\.self_attn\.grep_a$", ".attention.gru_rel_pos_const"),
    (r"\.self_attn\.relative_attention_bias\.", ".attention.rel_attn_embed."),
    (r"\.self_attn\.", ".attention."),
    (r"\.self_attn_layer_norm\.", ".layer_norm."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
    (r"\.Conv1dReluBn1\.", ".enter."),
    (r"\.Conv1dReluBn2\.", ".leave."),
    (r"\.Res2Conv1dReluBn\.convs\.(\d+)\.", r".multi_scale.scales.\1.conv."),
    (r"\.Res2Conv1dReluBn\.bns\.(\d+)\.", r".multi_scale.scales.\1.norm."),
    (r"\.SE_Connect\.linear1\.", ".gate.squeeze."),
    (r"\.SE_Connect\.linear2\.", ".gate.excite."),
    (r"\.bn\.", ".norm."),
]


def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names of the file -> names of `WavLmTdnnModel`; unknown names stay and fail on loading."""
    return {
        _renamed(name): tensor
        for name, tensor in tensors.items()
        if not name.startswith(_TRAINING_ONLY)
    }


def _renamed(name: str) -> str:
    for pattern, replacement in _RENAMED:
        match = re.match(pattern, name)
        if match:
            name = match.expand(replacement) + name[match.end() :]
            break
    for pattern, replacement in _PARTS:
        name = re.sub(pattern, replacement, name)
    return name

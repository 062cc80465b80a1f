"""The head of UniSpeech's speaker models, step by step from the tensors of its own file."""

import torch
from torch.nn import functional


def embed(tensors, layers):
    """All WavLM layers (L, F, D) -> (E,); tensors have the names of wavlm_large_finetune.pth."""

    def conv(name, x, padding=0, dilation=1):
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        return functional.conv1d(x[None], weight, bias, padding=padding, dilation=dilation)[0]

    def norm(name, x):
        mean, var = tensors[f"{name}.running_mean"], tensors[f"{name}.running_var"]
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        scale = weight / torch.sqrt(var + 1e-5)
        return x * scale[:, None] + (bias - mean * scale)[:, None]

    def linear(name, x):
        return tensors[f"{name}.weight"] @ x + tensors[f"{name}.bias"]

    weights = torch.exp(tensors["feature_weight"])
    weights = weights / weights.sum()
    x = sum(weight * layer for weight, layer in zip(weights, layers, strict=True)).T + 1e-6
    x = (x - x.mean(1, keepdim=True)) / torch.sqrt(x.var(1, unbiased=False, keepdim=True) + 1e-5)
    x = norm("layer1.bn", torch.relu(conv("layer1.conv", x, padding=2)))
    outputs = []
    for layer, dilation in (("layer2", 2), ("layer3", 3), ("layer4", 4)):
        y = norm(f"{layer}.Conv1dReluBn1.bn", torch.relu(conv(f"{layer}.Conv1dReluBn1.conv", x)))
        width = y.shape[0] // 8
        groups = [y[i * width : (i + 1) * width] for i in range(8)]
        previous = torch.zeros_like(groups[0])
        for i in range(7):
            name = f"{layer}.Res2Conv1dReluBn"
            z = conv(f"{name}.convs.{i}", groups[i] + previous, padding=dilation, dilation=dilation)
            previous = groups[i] = norm(f"{name}.bns.{i}", torch.relu(z))
        y = torch.cat(groups)
        y = norm(f"{layer}.Conv1dReluBn2.bn", torch.relu(conv(f"{layer}.Conv1dReluBn2.conv", y)))
        gate = torch.relu(linear(f"{layer}.SE_Connect.linear1", y.mean(1)))
        y = y * torch.sigmoid(linear(f"{layer}.SE_Connect.linear2", gate))[:, None]
        x = x + y
        outputs.append(x)
    x = torch.relu(conv("conv", torch.cat(outputs)))
    attention = conv("pooling.linear2", torch.tanh(conv("pooling.linear1", x)))
    attention = torch.exp(attention - attention.max(1, keepdim=True).values)
    attention = attention / attention.sum(1, keepdim=True)
    mean = (attention * x).sum(1)
    std = torch.sqrt(((attention * x**2).sum(1) - mean**2).clamp(min=1e-9))
    pooled = norm("bn", torch.cat([mean, std])[:, None])[:, 0]
    return linear("linear", pooled)

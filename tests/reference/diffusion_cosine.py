"""The cosine DDPM schedule step by step in Python floats."""

import math


def alpha_bar_table(num_steps: int, s: float, beta_max: float) -> list[float]:
    """alpha_bar after 0, 1, ..., num_steps steps."""

    def level(u: float) -> float:
        return math.cos((u + s) / (1 + s) * math.pi / 2) ** 2

    table = [1.0]
    for k in range(1, num_steps + 1):
        beta = min(1 - level(k / num_steps) / level((k - 1) / num_steps), beta_max)
        table.append(table[-1] * (1 - beta))
    return table

"""Metrics that predict a mean opinion score from the hypothesis alone."""

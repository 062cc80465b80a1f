"""What the server counts, for Prometheus; each server has its own registry."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_STEP_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_FIRST_AUDIO_S = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)


class Metrics:
    """Gauges, counters and histograms; names end in their units."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.waiting = Gauge(
            "latentspeech_waiting_speeches", "Speeches that wait for a row.", registry=registry
        )
        self.rows = Gauge(
            "latentspeech_rows", "Sentences that are being written.", registry=registry
        )
        self.step_s = Histogram(
            "latentspeech_step_seconds", "Time of a step.", buckets=_STEP_S, registry=registry
        )
        self.first_audio_s = Histogram(
            "latentspeech_first_audio_seconds",
            "Time from a request to its first audio.",
            buckets=_FIRST_AUDIO_S,
            registry=registry,
        )
        self.audio_s = Counter(
            "latentspeech_audio_seconds", "Length of all speech that was made.", registry=registry
        )
        self.requests = Counter(
            "latentspeech_requests",
            "Requests for speech by how they ended.",
            ["outcome"],
            registry=registry,
        )
        self.refused = Counter(
            "latentspeech_refused", "Requests that found the queue full.", registry=registry
        )
        self.cancelled = Counter(
            "latentspeech_cancelled", "Speeches that were cancelled.", registry=registry
        )
        self.truncated = Counter(
            "latentspeech_truncated_sentences", "Sentences cut at their limit.", registry=registry
        )

    def text(self) -> bytes:
        """All of them in the format of Prometheus."""
        return generate_latest(self.registry)

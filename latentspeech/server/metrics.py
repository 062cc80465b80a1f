"""What the server counts, for Prometheus; each server has its own registry."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_STEP_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_FIRST_AUDIO_S = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)


class Metrics:
    """Gauges, counters and histograms; names end in their units."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = {"namespace": "latentspeech", "registry": self.registry}
        self.waiting = Gauge("waiting_speeches", "Speeches that wait for a row.", **own)
        self.rows = Gauge("rows", "Sentences that are being written.", **own)
        self.step_s = Histogram("step_seconds", "Time of a step.", buckets=_STEP_S, **own)
        self.first_audio_s = Histogram(
            "first_audio_seconds",
            "Time from a request to its first audio.",
            buckets=_FIRST_AUDIO_S,
            **own,
        )
        self.audio_s = Counter("audio_seconds", "Length of all speech that was sent.", **own)
        self.requests = Counter(
            "requests", "Requests for speech by how they ended.", ["outcome"], **own
        )
        self.refused = Counter("refused", "Requests that found the queue full.", **own)
        self.cancelled = Counter("cancelled", "Speeches that were cancelled.", **own)
        self.truncated = Counter("truncated_sentences", "Sentences cut at their limit.", **own)

    def text(self) -> bytes:
        """All of them in the format of Prometheus."""
        return generate_latest(self.registry)

"""The settings of a server: what it serves, to whom, and its limits."""

from pathlib import Path

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.server.engine.engine import EngineConfig
from latentspeech.tts.model_directory import RuntimeKind


class Limits(Config):
    """What one request, one client and one upload may cost."""

    max_characters: int = Field(4096, ge=1, description="of the text of a request (OpenAI's)")
    max_batch: int = Field(32, ge=1, description="texts of a batch")
    max_upload_bytes: int = Field(20_000_000, ge=1, description="of a request's body")
    upload_timeout_s: float = Field(60.0, gt=0, description="to read a recording, all in all")
    max_uploads: int = Field(2, ge=1, description="recordings that are read at once")
    max_waiting_uploads: int = Field(16, ge=0, description="recordings that wait for that")
    max_voices: int = Field(1000, ge=0, description="voices that clients may store")
    max_per_client: int = Field(128, ge=1, description="speeches of a client at a time")
    per_minute: int | None = Field(None, ge=1, description="requests of a client; None: any number")
    max_contexts: int = Field(16, ge=1, description="speeches of a WebSocket at a time")


class ServerConfig(Config):
    """Everything that `latentspeech serve` can be told."""

    host: str = Field("127.0.0.1", description="address to listen at")
    port: int = Field(8000, ge=0, le=65535, description="0: any that is free")
    wyoming_port: int | None = Field(None, ge=0, le=65535, description="None: no Wyoming")
    model: str | None = Field(None, description="directory or name; None: find_tts's choice")
    # Weights of one byte are faster for one row, but not for several, and rounding moves them more.
    runtime: RuntimeKind | None = Field(None, description="None: onnx on a CPU, torch elsewhere")
    device: str = Field("cpu", description="device of the model")
    voices_dir: Path = Field(Path("voices"), description="folder of the voices of clients")
    default_voice: str | None = Field(None, description="None: the first that ships")
    aliases: dict[str, str] = Field({}, description="other names of voices, {alias: voice}")
    api_keys: Path | None = Field(None, description="file of keys; None: LATENTSPEECH_API_KEYS")
    engine: EngineConfig = Field(EngineConfig(), description="rows, queue and quality")
    limits: Limits = Field(Limits(), description="of requests, clients and uploads")
    log_text: bool = Field(False, description="whether the log may quote texts")
    shutdown_s: float = Field(10.0, ge=0, description="for which requests may end at a shutdown")

"""What a client can ask for: OpenAI's request for speech, and what this server adds to it."""

import base64
import binascii
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from latentspeech.core.errors import InputError
from latentspeech.server.server import MODEL_ALIASES, MODEL_ID
from latentspeech.server.speech.formats import Format
from latentspeech.text.reading.delivery import Delivery, check_rate

_MOST_SEED = 2**31 - 1


def _in_range(speed: float) -> float:
    check_rate(speed, "the speed")
    return speed


Speed = Annotated[float, AfterValidator(_in_range)]  # OpenAI's has 0.25 to 4


class VoiceId(BaseModel):
    """A voice as an object."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(description="name of the voice")


class SpeechSettings(BaseModel):
    """How a text is spoken. The fields are OpenAI's unless they say otherwise."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(MODEL_ID, description="this server has one model")
    voice: str | VoiceId | None = Field(None, description="name of a voice; none: the default")
    response_format: Format = Field("mp3", description="format of the audio")
    speed: Speed = Field(1.0, description="times the voice's own pace, 0.5 to 2")
    instructions: str | None = Field(None, description="cannot be honoured; expected empty")
    language: str | None = Field(None, description="added: only English can be honoured")
    seed: int = Field(0, ge=0, le=_MOST_SEED, description="added: seed of all noise")
    ref_audio: str | None = Field(
        None, description="added: recording of the voice, as base64 or a data: URL"
    )
    ref_text: str | None = Field(None, max_length=4096, description="added: what it says")

    @field_validator("model")
    @classmethod
    def _is_here(cls, model: str) -> str:
        if model not in (MODEL_ID, *MODEL_ALIASES):
            names = ", ".join((MODEL_ID, *MODEL_ALIASES))
            raise ValueError(f"there is no model {model[:80]!r}; expected one of {names}")
        return model

    @field_validator("instructions")
    @classmethod
    def _is_empty(cls, instructions: str | None) -> str | None:
        if instructions:
            raise ValueError(
                "the voice cannot be instructed; leave it out, or choose another voice"
            )
        return instructions

    @field_validator("language")
    @classmethod
    def _is_english(cls, language: str | None) -> str | None:
        if language is not None and language.lower()[:2] != "en" and language.lower() != "auto":
            raise ValueError(f"{language[:40]!r} is not spoken; expected en")
        return language

    @property
    def voice_name(self) -> str | None:
        """The name of the voice; None: the default."""
        return self.voice.id if isinstance(self.voice, VoiceId) else self.voice

    @property
    def delivery(self) -> Delivery:
        """The pace."""
        return Delivery(speed=self.speed)

    def recording(self) -> bytes | None:
        """The bytes of `ref_audio`; InputError if they are not base64."""
        if self.ref_audio is None:
            return None
        data = self.ref_audio
        if data.startswith("data:"):
            _, _, data = data.partition(",")
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise InputError(
                "ref_audio is not base64; expected the bytes of a recording as base64 or a data: "
                "URL (this server fetches no addresses)"
            ) from None


class SpeechRequest(SpeechSettings):
    """POST /v1/audio/speech."""

    input: str = Field(description="the text, written English or SSML")
    stream_format: Literal["audio", "sse"] = Field("audio", description="bytes, or events")
    stream: bool = Field(False, description="added: accepted, audio is always streamed")
    timestamp_granularities: list[Literal["word"]] = Field(
        [], max_length=1, description="added: word sends the times of words as events"
    )

    @field_validator("input")
    @classmethod
    def _is_text(cls, text: str) -> str:
        return check_text(text)

    @field_validator("timestamp_granularities")
    @classmethod
    def _has_events(cls, given: list[Literal["word"]], others: ValidationInfo) -> object:
        if given and others.data.get("stream_format") == "audio":
            raise ValueError("audio has no place for times; give stream_format sse as well")
        return given


class BatchItem(BaseModel):
    """A text of a batch, with the settings in which it differs."""

    model_config = ConfigDict(extra="forbid")

    input: str = Field(description="the text")
    voice: str | VoiceId | None = Field(None, description="none: that of the batch")
    seed: int | None = Field(None, ge=0, le=_MOST_SEED, description="none: that of the batch")

    @field_validator("input")
    @classmethod
    def _is_text(cls, text: str) -> str:
        return check_text(text)


class BatchRequest(SpeechSettings):
    """POST /v1/audio/speech/batch: several texts with shared settings."""

    items: list[BatchItem] = Field(min_length=1, description="the texts")


def check_text(text: str) -> str:
    """Returns the text; ValueError for one that is no Unicode."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("the text has half of a surrogate pair; expected Unicode")
    return text

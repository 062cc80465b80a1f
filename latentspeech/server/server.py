"""What the routes of a server share: the engine, voices, keys, limits and counts."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from latentspeech.codec.model_directory import find_codec
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.server.access.client_limits import ClientLimits
from latentspeech.server.access.keys import read_keys
from latentspeech.server.config import ServerConfig
from latentspeech.server.engine.engine import Engine
from latentspeech.server.metrics import Metrics
from latentspeech.server.speech.stream import SpeechStream
from latentspeech.server.voices.library import UnknownVoiceError, VoiceLibrary
from latentspeech.server.voices.uploads import Uploads
from latentspeech.text.reading import PLAIN, Delivery
from latentspeech.tts.model_directory import load_tts
from latentspeech.tts.models import find_tts
from latentspeech.tts.prompt import Prompt

MODEL_ID = "latentspeech"
# Names that clients of OpenAI's API send by default; the one model of the server answers to them.
MODEL_ALIASES = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
_MOST_READERS = 2


class Server:
    """One model and everything around it; made before the event loop, closed after it."""

    def __init__(self, config: ServerConfig) -> None:
        """Loads the model and starts the engine.

        Raises:
            CheckpointError: the model cannot be loaded.
            ConfigError: the keys, the folder of voices or an alias cannot be used.
        """
        self.config = config
        self.keys = read_keys(config.api_keys)
        directory: Path = find_tts(config.model)
        runtime = config.runtime or ("onnx" if config.device == "cpu" else None)
        model = load_tts(directory, config.device, runtime)
        self.voices = VoiceLibrary(config.voices_dir, model.codec_hash, config.limits.max_voices)
        self._check_aliases()
        needs_text = model.layout.uses_prompt_text
        self.uploads = Uploads(find_codec(directory), needs_text, config.limits)
        self.clients = ClientLimits(config.limits)
        self.metrics = Metrics()
        self.readers = ThreadPoolExecutor(_MOST_READERS, "text-reader")
        self.engine = Engine(model, config.engine, self.metrics)

    @property
    def sample_rate(self) -> int:
        """Of all speech, Hz."""
        return self.engine.model.codec.config.sample_rate

    def voice(self, name: str | None) -> Prompt:
        """Returns a voice by its name or alias; None is the default voice.

        Raises:
            UnknownVoiceError: no voice has this name.
        """
        name = self.default_voice if name is None else name
        return self.voices.get(self.config.aliases.get(name, name))

    @property
    def default_voice(self) -> str:
        """The voice of requests that name none."""
        if self.config.default_voice is not None:
            return self.config.default_voice
        names = [*self.voices.builtin, *(one.name for one in self.voices.stored())]
        if not names:
            raise UnknownVoiceError("this server has no voice yet; store one, or send ref_audio")
        return names[0]

    def stream(
        self, voice: Prompt, seed: int, client: str, delivery: Delivery = PLAIN
    ) -> SpeechStream:
        """Makes a speech that is not started yet."""
        return SpeechStream(self.engine, self.readers, voice, seed, client, delivery)

    def check_times(self) -> None:
        """Raises ConfigError for a model that does not know when its words are heard."""
        if not self.engine.model.layout.needs_symbol_times:
            raise ConfigError(
                "times of words need a model that knows when its words are heard (layout aligned), "
                "and this server's does not; ask without them"
            )

    def check_length(self, text: str) -> None:
        """Raises InputError for a text that is too long for one request."""
        most = self.config.limits.max_characters
        if len(text) > most:
            raise InputError(
                f"the text has {len(text)} characters; expected at most {most}: send it in parts, "
                "or over the WebSocket"
            )

    def close(self) -> None:
        """Ends the engine and its threads."""
        self.engine.close()
        self.readers.shutdown(cancel_futures=True)

    def _check_aliases(self) -> None:
        asked = dict(self.config.aliases)
        if self.config.default_voice is not None:
            asked["--default-voice"] = self.config.default_voice
        for alias, name in asked.items():
            try:
                self.voices.get(name)
            except UnknownVoiceError:
                raise ConfigError(
                    f"{alias} stands for the voice {name!r}, which this server does not have; "
                    f"expected one of {', '.join(self.voices.builtin)} or a stored one"
                ) from None

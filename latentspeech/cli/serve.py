"""`latentspeech serve`: speech over HTTP, as OpenAI's clients ask for it."""

from pathlib import Path
from typing import Annotated

import typer

from latentspeech.cli.options import ModelOption, QuietOption
from latentspeech.core.command import show_log
from latentspeech.core.config import parse_config
from latentspeech.core.errors import ConfigError


def serve(
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 is every one.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="0 takes one that is free and prints it.")] = 8000,
    model: ModelOption = None,
    runtime: Annotated[
        str | None, typer.Option(help="torch, onnx or onnx-int8. Default: onnx on a CPU.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    max_rows: Annotated[int, typer.Option(help="Sentences that are written at once.")] = 32,
    max_waiting: Annotated[int, typer.Option(help="Requests that may wait; more get 429.")] = 256,
    voices_dir: Annotated[Path, typer.Option(help="Folder of the voices of clients.")] = Path(
        "voices"
    ),
    default_voice: Annotated[str | None, typer.Option(help="Voice of requests without one.")] = (
        None
    ),
    alias: Annotated[
        list[str] | None, typer.Option(help="Another name of a voice, as alloy=heart.")
    ] = None,
    api_keys: Annotated[
        Path | None, typer.Option(help="File of keys. Default: $LATENTSPEECH_API_KEYS, or none.")
    ] = None,
    max_characters: Annotated[int, typer.Option(help="Of the text of a request.")] = 4096,
    max_upload_mb: Annotated[float, typer.Option(help="Of a request's body.")] = 20,
    per_minute: Annotated[int | None, typer.Option(help="Requests of a client.")] = None,
    max_per_client: Annotated[int, typer.Option(help="Speeches of a client at a time.")] = 128,
    elastic: Annotated[
        bool, typer.Option("--elastic", help="Speak more cheaply under load, before any waits.")
    ] = False,
    wyoming_port: Annotated[
        int | None, typer.Option(help="Port for Wyoming (Home Assistant), as 10200.")
    ] = None,
    log_text: Annotated[bool, typer.Option("--log-text", help="Let the log quote texts.")] = False,
    shutdown_s: Annotated[float, typer.Option(help="For which requests may end.")] = 10,
    quiet: QuietOption = False,
) -> None:
    """Serve speech over HTTP until Ctrl-C or SIGTERM."""
    from latentspeech.server.config import ServerConfig
    from latentspeech.server.run import run

    config = parse_config(
        ServerConfig,
        {
            "host": host,
            "port": port,
            "wyoming_port": wyoming_port,
            "model": model,
            "runtime": runtime,
            "device": device,
            "voices_dir": voices_dir,
            "default_voice": default_voice,
            "aliases": dict(_pair(one) for one in alias or ()),
            "api_keys": api_keys,
            "engine": {"max_rows": max_rows, "max_waiting": max_waiting, "elastic": elastic},
            "limits": {
                "max_characters": max_characters,
                "max_upload_bytes": round(max_upload_mb * 1e6),
                "per_minute": per_minute,
                "max_per_client": max_per_client,
            },
            "log_text": log_text,
            "shutdown_s": shutdown_s,
        },
        "options",
    )
    show_log(quiet)
    run(config)


def _pair(text: str) -> tuple[str, str]:
    alias, separator, name = text.partition("=")
    if not (separator and alias and name):
        raise ConfigError(f"--alias {text!r}; expected ALIAS=VOICE, for instance alloy=heart")
    return alias, name

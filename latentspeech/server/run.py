"""Runs a server until it is told to stop: SIGTERM and Ctrl-C let running requests end."""

import asyncio
import logging
import socket

import uvicorn

from latentspeech.core.errors import ConfigError
from latentspeech.server.config import ServerConfig
from latentspeech.server.http.app import make_app
from latentspeech.server.server import Server

_BACKLOG = 2048  # connections that wait to be accepted

logger = logging.getLogger(__name__)


def run(config: ServerConfig) -> None:
    """Serves; returns after a shutdown.

    Raises:
        ConfigError: the address cannot be used, or a setting cannot take effect.
        CheckpointError: the model cannot be loaded.
    """
    listening = listen(config.host, config.port)
    server = Server(config)
    keep_texts_out_of_log(config)
    logger.info("listening on http://%s:%d", config.host, listening.getsockname()[1])
    asyncio.run(web_server(server).serve([listening]))


def keep_texts_out_of_log(config: ServerConfig) -> None:
    """Silences the warnings of the text rules, which quote texts, unless the log may have them."""
    if not config.log_text:
        logging.getLogger("latentspeech.text").setLevel(logging.ERROR)


def web_server(server: Server) -> uvicorn.Server:
    """Makes the web server; it closes `server` when it stops."""
    config = server.config
    settings = uvicorn.Config(
        make_app(server),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(config.shutdown_s)),
        ws_max_size=config.limits.max_upload_bytes,
    )
    return uvicorn.Server(settings)


def listen(host: str, port: int) -> socket.socket:
    """Takes the address before the model is loaded, so a wrong one is said at once."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {host} port {port}: {error.strerror or error}; give another --host "
            "or --port"
        ) from None
    return found

"""Many replicas of the server on one machine or many, behind Ray Serve.

    serve run latentspeech.server.deployment.application:build num_replicas=2

Each replica is a whole server (http/app.py): it has the model and batches its own rows. Ray starts
and watches the replicas, accepts the connections and sends each request to one of them
(voice_router.py). The folder of voices must be the same for all replicas.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import Field, model_validator
from ray import serve
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latentspeech.core.config import Config, parse_config
from latentspeech.server.config import ServerConfig
from latentspeech.server.http.app import make_app
from latentspeech.server.run import keep_texts_out_of_log
from latentspeech.server.server import Server

_ROUTER = "latentspeech.server.deployment.voice_router.VoiceRouter"
_OF_RAY = {"host", "port", "wyoming_port"}


class DeploymentConfig(Config):
    """How many servers, and what each of them is told."""

    num_replicas: int = Field(1, ge=1, description="servers, each with the model")
    num_cpus: float = Field(1.0, gt=0, description="cores that Ray keeps for a server")
    num_gpus: float = Field(0.0, ge=0, description="GPUs that Ray keeps for a server")
    server: ServerConfig = Field(ServerConfig(), description="of each server")

    @model_validator(mode="after")
    def _leaves_connections_to_ray(self) -> "DeploymentConfig":
        given = sorted(_OF_RAY & self.server.model_fields_set)
        if given:
            raise ValueError(
                f"server has {', '.join(given)}, but Ray accepts the connections; leave it out and "
                "give the address to Ray (http_options)"
            )
        return self


class ReplicaName:
    """An application around another one, which names the replica in the header of each answer."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app, self._header = app, (b"x-latentspeech-replica", name.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a connection."""

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], self._header]
            await send(message)

        await self._app(scope, receive, named)


@serve.ingress()
class Speech:
    """One server. Ray calls its methods."""

    def __init__(self, config: ServerConfig) -> None:
        keep_texts_out_of_log(config)
        self._server = Server(config)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """The application, which closes the server when the replica ends."""
        app = make_app(self._server)
        app.add_middleware(ReplicaName, name=serve.get_replica_context().replica_id.unique_id)
        return app

    def check_health(self) -> None:
        """Raises an error if the engine has ended; Ray then starts another replica."""
        if not self._server.engine.is_alive:
            raise RuntimeError("the engine has ended")


def build(args: Mapping[str, Any]) -> serve.Application:
    """Makes the application that Ray runs.

    Args:
        args: the values of DeploymentConfig.

    Raises:
        ConfigError: a value is wrong.
    """
    config = parse_config(DeploymentConfig, args, "args")
    engine = config.server.engine
    deployment = serve.deployment(
        Speech,
        name="Speech",
        num_replicas=config.num_replicas,
        ray_actor_options={"num_cpus": config.num_cpus, "num_gpus": config.num_gpus},
        # More than the engine takes on, so that a client hears its 429 and not an error of Ray.
        max_ongoing_requests=2 * (engine.max_rows + engine.max_waiting),
        graceful_shutdown_timeout_s=config.server.shutdown_s,
        request_router_config={"request_router_class": _ROUTER},
    )
    return deployment.bind(config.server)

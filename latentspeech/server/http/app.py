"""The application of HTTP: all routes, their errors and the limit of bodies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from latentspeech.core.version import VERSION
from latentspeech.server.http.body_limit import BodyLimit
from latentspeech.server.http.errors import add_error_handlers
from latentspeech.server.http.service_routes import service_routes
from latentspeech.server.http.speech_routes import speech_routes
from latentspeech.server.http.voice_routes import voice_routes
from latentspeech.server.server import Server


def make_app(server: Server) -> FastAPI:
    """Makes the application; the server is closed when the application ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        server.close()

    app = FastAPI(
        title="latentspeech",
        version=VERSION,
        description="Speech in OpenAI's API, with voices, batches and verification added.",
        lifespan=lifespan,
        redoc_url=None,
    )
    add_error_handlers(app)
    app.include_router(speech_routes(server))
    app.include_router(voice_routes(server))
    app.include_router(service_routes(server))
    app.add_middleware(BodyLimit, max_bytes=server.config.limits.max_upload_bytes)
    return app

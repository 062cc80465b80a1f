"""The application of HTTP: all routes, their errors and the limit of bodies."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from latentspeech.core.version import VERSION
from latentspeech.server.http.body_limit import BodyLimit
from latentspeech.server.http.errors import add_error_handlers
from latentspeech.server.http.page_routes import page_routes
from latentspeech.server.http.service_routes import service_routes
from latentspeech.server.http.speech_routes import speech_routes
from latentspeech.server.http.voice_routes import voice_routes
from latentspeech.server.http.websocket_routes import websocket_routes
from latentspeech.server.server import Server
from latentspeech.server.wyoming_server import wyoming_server


def make_app(server: Server) -> FastAPI:
    """Makes the application; the server is closed when the application ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(server.close)
            if (port := server.config.wyoming_port) is not None:
                serving = wyoming_server(server, server.config.host, port)
                app.state.wyoming_port = await stack.enter_async_context(serving)
            yield

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
    app.include_router(websocket_routes(server))
    app.include_router(service_routes(server))
    app.include_router(page_routes())
    app.add_middleware(BodyLimit, max_bytes=server.config.limits.max_upload_bytes)
    return app

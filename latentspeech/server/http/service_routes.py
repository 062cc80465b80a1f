"""Models, health, metrics, and whether a file is synthetic speech."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, UploadFile
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from latentspeech.core.version import VERSION
from latentspeech.server.http.clients import client_of
from latentspeech.server.http.errors import ApiError
from latentspeech.server.server import MODEL_ALIASES, MODEL_ID, Server

_MARK = "synthetic speech"


def service_routes(server: Server) -> APIRouter:
    """Makes the routes of a server; health and metrics need no key."""
    router = APIRouter(tags=["service"])
    check = Depends(client_of(server))
    word_times = server.engine.model.layout.needs_symbol_times

    def describe(name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": 0, "owned_by": "latentspeech",
                "word_times": word_times}  # fmt: skip

    @router.get("/v1/models", dependencies=[check])
    def models() -> dict[str, Any]:
        """List the model and the names that stand for it."""
        names = (MODEL_ID, *MODEL_ALIASES)
        return {"object": "list", "data": [describe(name) for name in names]}

    @router.get("/v1/models/{name}", dependencies=[check])
    def model(name: str) -> dict[str, Any]:
        """Describe the model."""
        if name not in (MODEL_ID, *MODEL_ALIASES):
            raise ApiError(404, f"there is no model {name[:80]!r}", "model_not_found", "model")
        return describe(name)

    @router.get("/health")
    def health() -> dict[str, Any]:
        """Say that the process answers."""
        return {"status": "ok", "version": VERSION}

    @router.get("/ready")
    def ready() -> dict[str, Any]:
        """Say whether speech can be made now; 503 if not."""
        if not server.engine.is_alive:
            raise ApiError(503, "the engine does not run", "not_ready", None, 5)
        return {"status": "ready", "rows": server.engine.num_rows,
                "speeches": server.engine.num_speeches}  # fmt: skip

    @router.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Give the counts to Prometheus."""
        return Response(server.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @router.post("/v1/audio/verify", dependencies=[check])
    async def verify(
        file: Annotated[UploadFile, File(description="an audio file")],
    ) -> dict[str, Any]:
        """Say whether the metadata of a file call it synthetic speech."""
        comment = await server.uploads.comment(await file.read())
        return {"synthetic": _MARK in comment, "provenance": comment or None}

    return router

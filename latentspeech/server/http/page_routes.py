"""The page at /, which needs nothing from elsewhere."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response

from latentspeech.server.http.errors import ApiError

_FOLDER = Path(__file__).parents[1] / "page"
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "media-src blob:; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def page_routes() -> APIRouter:
    """Makes the routes; the files are read once, and no other file can be asked for."""
    router = APIRouter(include_in_schema=False)
    files = {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.is_file()}

    @router.get("/")
    def page() -> Response:
        return _answer("index.html")

    @router.get("/page/{name}")
    def part(name: str) -> Response:
        if name not in files:
            raise ApiError(404, "the page has no such part", "not_found")
        return _answer(name)

    def _answer(name: str) -> Response:
        return Response(files[name], 200, _HEADERS, _MEDIA_TYPES[Path(name).suffix])

    return router

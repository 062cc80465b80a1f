"""Errors as OpenAI's API has them: {"error": {"message", "type", "param", "code"}}.

No client sees a traceback, and no error quotes more of a text than its first words.
"""

import json
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from latentspeech.core.errors import CheckpointError, ConfigError, InputError
from latentspeech.server.access.client_limits import TooManyError
from latentspeech.server.engine.engine import BusyError
from latentspeech.server.speech.stream import SpeechFailedError
from latentspeech.server.voices.library import UnknownVoiceError, VoiceExistsError


class ApiError(Exception):
    """An error with its status; the other kinds are turned into it."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param
        self.retry_after_s = retry_after_s

    @property
    def body(self) -> dict[str, Any]:
        """The object that a client gets."""
        kinds = {401: "authentication_error", 429: "rate_limit_error", 500: "server_error"}
        kind = kinds.get(self.status, "server_error" if self.status > 500 else "")
        kind = kind or "invalid_request_error"
        message = str(self)
        return {"error": {"message": message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> Response:
        """The response of HTTP."""
        headers = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        # ASCII alone: a text may hold half of a surrogate pair, which UTF-8 cannot write.
        return Response(json.dumps(self.body), self.status, headers, "application/json")


def as_api_error(error: Exception) -> ApiError:
    """Returns the error that a client gets for any exception."""
    message = str(error)
    match error:
        case ApiError():
            return error
        case UnknownVoiceError():
            return ApiError(404, message, "voice_not_found", "voice")
        case VoiceExistsError():
            return ApiError(409, message, "voice_exists", "name")
        case BusyError() | TooManyError():
            return ApiError(429, message, "rate_limit_exceeded", None, error.retry_after_s)
        case InputError() | ConfigError() | CheckpointError():
            return ApiError(400, message, "invalid_input")
        case SpeechFailedError():
            return ApiError(503, message, "speech_failed", None, 1)
        case RequestValidationError():
            return _of_validation(error)
        case HTTPException():
            return ApiError(error.status_code, str(error.detail), "http_error")
        case _:
            return ApiError(500, "the server failed to do this; its log says why", "internal_error")


def add_error_handlers(app: FastAPI) -> None:
    """Has every failure of a route answered in OpenAI's shape."""

    async def handle(_: Request, error: Exception) -> Response:
        return as_api_error(error).response()

    known = (ApiError, UnknownVoiceError, VoiceExistsError, BusyError, TooManyError, InputError,
             ConfigError, CheckpointError, SpeechFailedError, RequestValidationError,
             HTTPException, Exception)  # fmt: skip
    for kind in known:
        app.add_exception_handler(kind, handle)


def _of_validation(error: RequestValidationError) -> ApiError:
    """The first thing that is wrong with a request."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return ApiError(400, f"the body is not JSON: {first['ctx']['error']}", "invalid_request")
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    param = ".".join(place) or None
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "this server does not know the field; leave it out"
    return ApiError(400, f"{param}: {message}" if param else message, "invalid_request", param)

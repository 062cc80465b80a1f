"""Who sends a request: the client of its API key, or its address."""

from collections.abc import Callable

from starlette.requests import HTTPConnection

from latentspeech.server.http.errors import ApiError
from latentspeech.server.server import Server


def client_of(server: Server) -> Callable[[HTTPConnection], str]:
    """Makes the check of requests; it returns the client, and counts the request."""

    def check(connection: HTTPConnection) -> str:
        client = connection.client.host if connection.client else "unknown"
        if server.keys.needed:
            scheme, _, key = connection.headers.get("authorization", "").partition(" ")
            found = server.keys.client(key.strip()) if scheme.lower() == "bearer" else None
            if found is None:
                raise ApiError(
                    401, "expected a valid API key as `Authorization: Bearer KEY`",
                    "invalid_api_key",
                )  # fmt: skip
            client = found
        server.clients.check_rate(client)
        return client

    return check

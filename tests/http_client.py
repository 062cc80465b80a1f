"""Requests of HTTP in tests, by the standard library, so that nothing is hidden."""

import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What a server has answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error in OpenAI's shape."""
        found = self.json["error"]
        assert sorted(found) == ["code", "message", "param", "type"]
        assert "Traceback" not in found["message"]
        return found


def call(
    url: str, body: Any = None, method: str | None = None, headers: dict[str, str] | None = None
) -> Answer:
    """Sends a request; a body that is not bytes is sent as JSON."""
    data, given = body, dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        data, given["Content-Type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(url, data, given, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


def form(fields: dict[str, str], files: dict[str, bytes]) -> tuple[bytes, dict[str, str]]:
    """A multipart body and its header."""
    parts = [
        f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for name, data in files.items():
        head = f'--cut\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n\r\n'
        parts.append(head.encode() + data + b"\r\n")
    parts.append(b"--cut--\r\n")
    return b"".join(parts), {"Content-Type": "multipart/form-data; boundary=cut"}

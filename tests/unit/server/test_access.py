"""Who may use a server, and how much: keys, rates, numbers of speeches."""

from pathlib import Path

import pytest

from latentspeech.core.errors import ConfigError
from latentspeech.server.access.client_limits import ClientLimits, TooManyError
from latentspeech.server.access.keys import VARIABLE, read_keys
from latentspeech.server.config import Limits
from tests.http_client import call
from tests.running_server import running_server

KEY = "0123456789abcdef0123"


def test_a_key_is_needed_where_there_are_keys(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"# of the web page\nweb:{KEY}\n")
    with running_server(tmp_path, api_keys=keys, limits={"per_minute": 4}) as running:
        url, body = f"{running.url}/v1/audio/speech", {"input": "One.", "response_format": "pcm"}
        for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": f"Basic {KEY}"}):
            refused = call(url, body, headers=headers)
            assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
            assert refused.headers["www-authenticate"] == "Bearer"
        assert call(f"{running.url}/v1/audio/voices").status == 401
        assert call(f"{running.url}/health").status == 200
        valid = {"Authorization": f"Bearer {KEY}"}
        assert call(url, body, headers=valid).status == 200
        found = [call(f"{running.url}/v1/models", headers=valid) for _ in range(4)]
        assert [one.status for one in found] == [200, 200, 200, 429]
        assert 1 <= int(found[-1].headers["retry-after"]) <= 60


def test_keys_come_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert not read_keys(None).needed
    monkeypatch.setenv(VARIABLE, f"web:{KEY}, {KEY}x")
    keys = read_keys(None)
    assert keys.client(KEY) == "web"
    assert keys.client(KEY + "x") not in (None, "web")
    assert keys.client(KEY + "y") is None
    (tmp_path / "short").write_text("web:short\n")
    (tmp_path / "empty").write_text("# none\n")
    for name, message in (("short", "a key of 5"), ("empty", "no key"), ("missing", "not found")):
        with pytest.raises(ConfigError, match=message):
            read_keys(tmp_path / name)


def test_a_client_has_so_many_speeches_at_a_time() -> None:
    clients = ClientLimits(Limits(max_per_client=2))
    with clients.speech("a"), clients.speech("a"):
        with pytest.raises(TooManyError, match="2 speeches of yours"), clients.speech("a"):
            pass
        with clients.speech("b"):
            pass
    with clients.speech("a"):
        pass
    assert clients._num_open == {}


def test_requests_come_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    clients = ClientLimits(Limits(per_minute=2))
    clients.check_rate("a")
    clients.check_rate("a")
    with pytest.raises(TooManyError) as refused:
        clients.check_rate("a")
    assert refused.value.retry_after_s == 30
    clients.check_rate("b")
    now[0] = 31.0
    clients.check_rate("a")

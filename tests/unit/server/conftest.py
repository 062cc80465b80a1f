"""One server for all tests of a file."""

from collections.abc import Iterator

import pytest

from tests.running_server import Running, running_server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_server(tmp_path_factory.mktemp("server")) as found:
        yield found

from pathlib import Path

import pytest

from latentspeech.core.storage.model_names import resolve_name, shipped_models


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        (tmp_path / "shipped" / name).mkdir(parents=True)
        (tmp_path / "shipped" / name / "config.yaml").touch()
    (tmp_path / "shipped" / "no_model").mkdir()
    return tmp_path / "shipped"


def test_names_paths_and_the_variable(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("THE_MODEL", raising=False)
    assert shipped_models(shipped) == {"one": shipped / "one", "two": shipped / "two"}
    assert resolve_name(None, "THE_MODEL", shipped) is None
    assert resolve_name("two", "THE_MODEL", shipped) == shipped / "two"
    assert resolve_name("elsewhere", "THE_MODEL", shipped) == Path("elsewhere")
    monkeypatch.setenv("THE_MODEL", "one")
    assert resolve_name(None, "THE_MODEL", shipped) == shipped / "one"
    assert resolve_name("two", "THE_MODEL", shipped) == shipped / "two"
    (tmp_path / "one").mkdir()  # a folder comes before a shipped model of its name
    assert resolve_name("one", "THE_MODEL", shipped) == Path("one")

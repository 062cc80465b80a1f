"""The image's files name what exists; the image itself is built where there is a Docker daemon."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]


def test_the_image_has_what_it_needs_and_no_rights() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--" not in line]
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for source in (name for names in copied for name in names):
        assert (ROOT / source).exists(), source
        assert f"!{source}" in allowed
    last_user = [line for line in lines if line.startswith("USER ")][-1]
    assert last_user not in ("USER root", "USER 0")
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    (entry,) = (line for line in lines if line.startswith("ENTRYPOINT "))
    assert '"latentspeech", "serve"' in entry


def test_the_compose_file_runs_the_image() -> None:
    service = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"][
        "speech"
    ]
    ports = {re.sub(r".*:", "", port) for port in service["ports"]}
    exposed = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (line,) = re.findall(r"^EXPOSE (.+)$", exposed, flags=re.MULTILINE)
    assert ports == set(line.split())
    assert service["read_only"] is True
    assert service["volumes"] == ["voices:/voices"]

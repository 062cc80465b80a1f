"""The chart for Kubernetes: Helm lints and renders it, and Kubernetes' schemas allow the result."""

from pathlib import Path
from typing import Any

import pytest
import yaml

needed = "a chart is checked by packages: pip install helm-python-sdk kubernetes-validate"
helm = pytest.importorskip("helm_python", reason=needed)
kubernetes_validate = pytest.importorskip("kubernetes_validate", reason=needed)

CHART = Path(__file__).parents[3] / "chart"
SHARED = {"replicaCount": 2, "voices": {"accessMode": "ReadWriteMany"}}
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "shared": SHARED,
    "scaled": {**SHARED, "autoscaling": {"enabled": True}},
    "full": {
        "apiKeysSecret": "keys",
        "wyoming": {"enabled": True},
        "args": ["--elastic", "--max-rows", "16"],
        "voices": {"existingClaim": "mine"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "speech", "operator": "Exists"}],
    },
}


def manifests(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    with helm.Chart.load(CHART) as chart:
        rendered = chart.render(values, name="say", namespace="speech")
    found = [yaml.safe_load(text) for path, text in rendered.items() if path.endswith(".yaml")]
    return {one["kind"]: one for one in found if one is not None}


@pytest.mark.parametrize("case", CASES)
def test_it_is_valid(case: str) -> None:
    report = helm.lint(CHART, CASES[case], strict=True)
    assert [one for one in report["messages"] if one["severity"] > 1] == report["errors"] == []
    for manifest in manifests(CASES[case]).values():
        kubernetes_validate.validate(manifest, "1.34", strict=True)


def test_the_pod_is_that_of_the_image() -> None:
    found = manifests(CASES["full"])
    pod = found["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    dockerfile = (CHART.parent / "Dockerfile").read_text(encoding="utf-8")
    assert f"--uid {pod['securityContext']['runAsUser']} " in dockerfile
    ports = {str(one["containerPort"]) for one in container["ports"]}
    assert f"EXPOSE {' '.join(sorted(ports, key=int))}" in dockerfile
    mounts = {one["mountPath"] for one in container["volumeMounts"]}
    assert mounts == {"/voices", "/tmp"}
    assert container["args"] == [
        "--shutdown-s", "10", "--wyoming-port", "10200", "--elastic", "--max-rows", "16",
    ]  # fmt: skip
    assert "PersistentVolumeClaim" not in found
    assert container["env"][0]["valueFrom"]["secretKeyRef"]["name"] == "keys"


def test_a_scaled_deployment_leaves_its_size_to_the_autoscaler() -> None:
    found = manifests(CASES["scaled"])
    assert "replicas" not in found["Deployment"]["spec"]
    assert found["HorizontalPodAutoscaler"]["spec"]["minReplicas"] == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"replicaCount": 2}, "ReadWriteMany"),
        ({"replicas": 2}, "replicas"),
        ({"replicaCount": 0}, "replicaCount"),
    ],
)
def test_what_cannot_take_effect_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(helm.HelmError, match=message):
        manifests(values)

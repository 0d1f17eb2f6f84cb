"""Manifests as a cluster would get them, and what they allow."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

OVERLAYS_DIR = Path(__file__).parents[2] / "deploy" / "k8s" / "overlays"
OVERLAYS = tuple(sorted(folder.name for folder in OVERLAYS_DIR.iterdir()))
NAME = "app.kubernetes.io/name"

Manifest: TypeAlias = dict[str, Any]


@cache
def rendered(overlay: str) -> tuple[Manifest, ...]:
    """All objects of an overlay."""
    command = [str(Path(sys.executable).with_name("kubectl")), "kustomize", str(OVERLAYS_DIR / overlay)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # the pinned kubectl of PyPI
    return tuple(yaml.safe_load_all(text))


def of_kind(overlay: str, *kinds: str) -> list[Manifest]:
    """The objects of some kinds."""
    return [manifest for manifest in rendered(overlay) if manifest["kind"] in kinds]


def workloads(overlay: str) -> dict[str, Manifest]:
    """Whatever makes pods, by name."""
    return {it["metadata"]["name"]: it for it in of_kind(overlay, "Deployment", "StatefulSet", "DaemonSet", "Job")}


def pod_of(workload: Manifest) -> Manifest:
    """The specification of its pods."""
    spec: Manifest = workload["spec"]["template"]["spec"]
    return spec


def labels_of(workload: Manifest) -> dict[str, str]:
    """The labels of its pods."""
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def containers_of(workload: Manifest) -> list[Manifest]:
    """Those that run, and those that run before."""
    pod = pod_of(workload)
    return [*pod["containers"], *pod.get("initContainers", [])]


def environment_of(workload: Manifest, overlay: str) -> dict[str, str]:
    """What its first container is told; what a secret holds is told as `secret`."""
    container = pod_of(workload)["containers"][0]
    maps = {it["metadata"]["name"]: it["data"] for it in of_kind(overlay, "ConfigMap")}
    told: dict[str, str] = {}
    for source in container.get("envFrom", []):
        told |= maps[source["configMapRef"]["name"]]
    return told | {it["name"]: it.get("value", "secret") for it in container.get("env", [])}


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector takes pods of these labels."""
    equal = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return equal and all(_fits(rule, labels) for rule in selector.get("matchExpressions", []))


def _fits(rule: Manifest, labels: dict[str, str]) -> bool:
    assert rule["operator"] == "In", "the only one that is used"
    return labels.get(rule["key"]) in rule["values"]


def calls_allowed(overlay: str, pods: dict[str, dict[str, str]]) -> set[tuple[str, str, int]]:
    """Who may call whom at which port: allowed where the caller leaves and where the called one lets in."""
    return {
        (caller, called, port)
        for caller in pods
        for called in pods
        for port in set(_ports(overlay, "egress", "to", pods[caller], pods[called]))
        & set(_ports(overlay, "ingress", "from", pods[called], pods[caller]))
    }


def _ports(overlay: str, way: str, key: str, own: dict[str, str], other: dict[str, str]) -> Iterator[int]:
    for policy in of_kind(overlay, "NetworkPolicy"):
        if selects(policy["spec"]["podSelector"], own):
            for rule in policy["spec"].get(way, []):
                if any(_is_pod_of_namespace(peer) and selects(peer["podSelector"], other) for peer in rule[key]):
                    yield from (it["port"] for it in rule["ports"])


def _is_pod_of_namespace(peer: Manifest) -> bool:
    return "podSelector" in peer and "namespaceSelector" not in peer


def ways_out(overlay: str) -> set[tuple[str, str]]:
    """Whose pods may leave for which network."""
    return {
        (name, peer["ipBlock"]["cidr"])
        for policy in of_kind(overlay, "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        for peer in rule["to"]
        if "ipBlock" in peer
        for name in _names_of(policy["spec"]["podSelector"])
    }


def _names_of(selector: Manifest) -> list[str]:
    expressions: dict[str, list[str]] = {it["key"]: it["values"] for it in selector.get("matchExpressions", [])}
    single = next(iter(selector.get("matchLabels", {}).values()), "")
    return expressions.get(NAME, [single])

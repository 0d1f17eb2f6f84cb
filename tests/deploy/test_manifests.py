"""What the manifests promise, held against what a cluster would get of them."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from pydantic_settings import BaseSettings
from sqlalchemy import text

from services.exporter.servicer import SERVICE_NAME as EXPORTER_SERVICE
from services.exporter.settings import ExporterSettings
from services.library.servicer import SERVICE_NAME as LIBRARY_SERVICE
from services.library.settings import LibrarySettings
from services.router.migrations import migrate
from services.router.servicer import SERVICE_NAME as ROUTER_SERVICE
from services.router.settings import RouterSettings
from services.separator.servicer import SERVICE_NAME as SEPARATOR_SERVICE
from services.separator.settings import SeparatorSettings
from stemhouse.platform.databases import open_database
from tests.deploy.cluster import (
    NAME,
    OVERLAYS,
    Manifest,
    calls_allowed,
    containers_of,
    environment_of,
    labels_of,
    of_kind,
    pod_of,
    rendered,
    ways_out,
    workloads,
)

SERVICES: dict[str, tuple[str, type[BaseSettings]]] = {
    "router": (ROUTER_SERVICE, RouterSettings),
    "library": (LIBRARY_SERVICE, LibrarySettings),
    "exporter": (EXPORTER_SERVICE, ExporterSettings),
    "separator": (SEPARATOR_SERVICE, SeparatorSettings),
}
OBJECT_STORE = "object-store"
SEPARATORS = {"separator-cpu", "separator-gpu", "separator-cloud"}
WITHOUT_TLS = "local"
CLIENT = {"stemhouse.role": "client"}
# Of operators that are installed in the cluster: their schemas are theirs.
FOREIGN_KINDS = {"Certificate", "Cluster", "Issuer", "ScaledObject", "TriggerAuthentication"}
SHUT_DOWN_S = 10
"""What a server takes at most to end in good order: stemhouse.platform.server."""

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def ours(overlay: str) -> dict[str, Manifest]:
    """The workloads that run our images."""
    return {name: it for name, it in workloads(overlay).items() if name != OBJECT_STORE}


def service_of(name: str) -> tuple[str, type[BaseSettings]]:
    """Its gRPC service and its settings."""
    return SERVICES[name.partition("-")[0]]


def test_objects_fit_the_schemas_of_kubernetes(overlay: str) -> None:
    """Strictly: an unknown field is an error."""
    for manifest in rendered(overlay):
        if manifest["kind"] not in FOREIGN_KINDS:
            kubernetes_validate.validate(manifest, "1.37", strict=True)


def test_pods_are_restricted(overlay: str) -> None:
    """No root, no writing to the image, no capabilities, no token, no way to the host; and a bound for memory."""
    for name, workload in workloads(overlay).items():
        pod = pod_of(workload)
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert (pod["automountServiceAccountToken"], pod["serviceAccountName"]) == (False, name)
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all("hostPath" not in volume for volume in pod["volumes"])
        for container in containers_of(workload):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]
            assert re.search(r":[\w.-]+$", container["image"]), f"{container['image']} names no version"
    accounts = of_kind(overlay, "ServiceAccount")
    assert {it["metadata"]["name"] for it in accounts} == set(workloads(overlay))
    assert not any(it["automountServiceAccountToken"] for it in accounts)
    [namespace] = of_kind(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_probes_ask_what_they_should(overlay: str) -> None:
    """Ready is the service; alive is the process, whatever models, store and database do.

    They ask at a port without TLS, which tells nothing else, and which no policy lets a pod in at.
    """
    for name, workload in ours(overlay).items():
        [container] = pod_of(workload)["containers"]
        [port] = [it["containerPort"] for it in container["ports"] if it["name"] == "health"]
        assert environment_of(workload, overlay)["STEMHOUSE_HEALTH_LISTEN"] == f"[::]:{port}"
        assert container["livenessProbe"]["grpc"] == container["startupProbe"]["grpc"] == {"port": port}
        assert container["readinessProbe"]["grpc"] == {"port": port, "service": service_of(name)[0]}


def test_services_take_their_settings(overlay: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every name is one that the service knows, and together they are enough to start."""
    for name, workload in ours(overlay).items():
        settings = service_of(name)[1]
        told = {key: value for key, value in environment_of(workload, overlay).items() if key.startswith("STEMHOUSE_")}
        known = {field.upper() for field in settings.model_fields}
        common = {"STORE", "SCRATCH_DIR", "LOG_LEVEL"}
        assert {key.split("__")[0].removeprefix("STEMHOUSE_") for key in told} <= known | common, name
        with monkeypatch.context() as patch:
            for key, value in told.items():
                patch.setenv(key, _at_hand(key, value, tmp_path))
            settings()


def _at_hand(key: str, value: str, folder: Path) -> str:
    """What a secret would hold."""
    if key == "STEMHOUSE_LALAL__KEY_FILE":
        (folder / "key").write_text("licence")
        return str(folder / "key")
    return "postgresql+psycopg://somebody@somewhere/ledger" if value == "secret" else value


def test_services_are_found_where_they_are_looked_for(overlay: str) -> None:
    """At their ports; separators one by one, by a service without an address of its own."""
    addresses = {
        f"{it['metadata']['name']}:{port['port']}": it["spec"].get("clusterIP")
        for it in of_kind(overlay, "Service")
        for port in it["spec"]["ports"]
    }
    found = ours(overlay)
    for name, workload in found.items():
        [container] = pod_of(workload)["containers"]
        assert f"{name}:{container['ports'][0]['containerPort']}" in addresses
        assert environment_of(workload, overlay)["STEMHOUSE_LISTEN"] == f"[::]:{container['ports'][0]['containerPort']}"
    separators = environment_of(found["router"], overlay)["STEMHOUSE_SEPARATORS"].split(",")
    assert {it.removeprefix("dns:").partition(":")[0] for it in separators} == set(found) & SEPARATORS
    assert {addresses[it.removeprefix("dns:")] for it in separators} == {"None"}
    library = environment_of(found["library"], overlay)
    assert {library["STEMHOUSE_ROUTER"], library["STEMHOUSE_EXPORTER"]} <= set(addresses)


def test_calls_are_those_of_the_call_graph(overlay: str) -> None:
    """And no others, from whoever else runs in the namespace."""
    found = workloads(overlay)
    pods = {name: labels_of(it) for name, it in found.items()} | {"client": CLIENT, "stranger": {NAME: "stranger"}}
    separators = set(found) & SEPARATORS
    expected = {("client", "router", 50051), ("client", "library", 50053), ("client", "exporter", 50054)}
    expected |= {("library", "router", 50051), ("library", "exporter", 50054)}
    expected |= {("router", separator, 50052) for separator in separators}
    if OBJECT_STORE in found:
        expected |= {(name, OBJECT_STORE, 9000) for name in {"router", "exporter"} | separators}
    assert calls_allowed(overlay, pods) == expected
    [deny] = [
        it for it in of_kind(overlay, "NetworkPolicy") if it["spec"]["podSelector"] == {} and "egress" not in it["spec"]
    ]
    assert deny["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_nobody_leaves_the_cluster_but_for_what_was_said(overlay: str) -> None:
    """To the object store's own network; the ledger's operator to the cluster's API; and the cloud separator."""
    anywhere = {name for name, network in ways_out(overlay) if network == "0.0.0.0/0"}
    assert anywhere <= {"separator-cloud", "ledger"}


def test_only_gpu_pods_take_gpus(overlay: str) -> None:
    """Where they are, and what they tolerate to be there."""
    for name, workload in ours(overlay).items():
        pod = pod_of(workload)
        limits = pod["containers"][0]["resources"]["limits"]
        has_gpu = any(key.startswith("nvidia.com/") for key in limits)
        is_gpu = name == "separator-gpu"
        assert has_gpu is is_gpu
        assert (pod.get("runtimeClassName") == "nvidia") is is_gpu
        assert any(it["key"] == "nvidia.com/gpu" for it in pod.get("tolerations", [])) is is_gpu
        assert ("nvidia.com/gpu.present" in pod.get("nodeSelector", {})) is is_gpu


def test_workloads_can_be_moved(overlay: str) -> None:
    """A budget for disruptions, a priority that exists, spread over nodes, and time to end."""
    priorities = {it["metadata"]["name"] for it in of_kind(overlay, "PriorityClass")}
    budgets = {it["spec"]["selector"]["matchLabels"][NAME] for it in of_kind(overlay, "PodDisruptionBudget")}
    assert budgets == set(workloads(overlay))
    for workload in workloads(overlay).values():
        pod = pod_of(workload)
        assert pod["priorityClassName"] in priorities
        assert pod["terminationGracePeriodSeconds"] > SHUT_DOWN_S
        assert [it["topologyKey"] for it in pod["topologySpreadConstraints"]] == ["kubernetes.io/hostname"]


def test_one_ledger_and_one_catalogue(overlay: str) -> None:
    """Two of them would do everything twice; of a ledger in PostgreSQL the second router waits for its turn."""
    found = ours(overlay)
    router, library = found["router"], found["library"]
    has_standby = environment_of(router, overlay)["STEMHOUSE_DATABASE_URL"].startswith("postgresql")
    assert (router["spec"]["replicas"], library["spec"]["replicas"]) == (2 if has_standby else 1, 1)
    assert router["kind"] == library["kind"] == "StatefulSet"


def test_standby_hinders_nobody(overlay: str) -> None:
    """It is never ready: neither its start, nor an update, nor a drain may wait for that."""
    router = ours(overlay)["router"]["spec"]
    if router["replicas"] == 1:
        return
    assert (router["podManagementPolicy"], router["updateStrategy"]) == ("Parallel", {"type": "OnDelete"})
    [budget] = [it for it in of_kind(overlay, "PodDisruptionBudget") if it["metadata"]["name"] == "router"]
    assert budget["spec"]["maxUnavailable"] == router["replicas"]


def test_strangers_are_kept_out(overlay: str) -> None:
    """By certificates of callers, or by tokens; without either only where that is said, on one node."""
    for name, workload in ours(overlay).items():
        told = environment_of(workload, overlay)
        if overlay == WITHOUT_TLS:
            assert told["STEMHOUSE_ALLOW_INSECURE"] == "true"
            continue
        assert "STEMHOUSE_ALLOW_INSECURE" not in told
        assert {"STEMHOUSE_TLS__CERT", "STEMHOUSE_TLS__KEY"} <= set(told)
        guards = set(told) & {"STEMHOUSE_TLS__CLIENT_CA", "STEMHOUSE_ACCEPTED_TOKENS"}
        assert guards == {"STEMHOUSE_TLS__CLIENT_CA" if name in SEPARATORS else "STEMHOUSE_ACCEPTED_TOKENS"}
        files = {value for key, value in told.items() if "TLS__" in key or "TOKEN" in key}
        assert all(_is_mounted(file, workload) for file in files)


def _is_mounted(path: str, workload: Manifest) -> bool:
    pod = pod_of(workload)
    secrets = {it["name"] for it in pod["volumes"] if "secret" in it}
    mounts = pod["containers"][0]["volumeMounts"]
    return any(path.startswith(f"{it['mountPath']}/") and it["name"] in secrets and it["readOnly"] for it in mounts)


def test_callers_trust_whom_they_call_and_show_who_they_are(overlay: str) -> None:
    """The router by its certificate, the library by its token; certificates are for the names that are called."""
    if overlay == WITHOUT_TLS:
        return
    found = ours(overlay)
    certified = {it["spec"]["secretName"]: it["spec"] for it in of_kind(overlay, "Certificate")}
    for name, workload in found.items():
        [secret] = [it["secret"]["secretName"] for it in pod_of(workload)["volumes"] if it["name"] == "tls"]
        assert name in certified[secret]["dnsNames"]
        assert {"server auth", "client auth"} <= set(certified[secret]["usages"])
    for name, shown in {"router": "STEMHOUSE_TLS__CERT", "library": "STEMHOUSE_TOKEN_FILE"}.items():
        assert {"STEMHOUSE_TLS__CA", shown} <= set(environment_of(found[name], overlay))


def test_secrets_are_named_and_not_held(overlay: str) -> None:
    """Nothing here can be used by whoever reads it."""
    assert not of_kind(overlay, "Secret")
    for workload in workloads(overlay).values():
        for container in containers_of(workload):
            for variable in container.get("env", []):
                is_secret = re.search(r"KEY$|PASSWORD|SECRET|TOKEN", variable["name"])
                if is_secret and not variable.get("value", "").startswith("/run/secrets/"):
                    assert "secretKeyRef" in variable["valueFrom"]


def test_backlog_is_asked_of_the_ledger_as_it_is(overlay: str, tmp_path: Path) -> None:
    """The query runs over the tables that the router makes; down to no GPU at all."""
    for scaled in of_kind(overlay, "ScaledObject"):
        [trigger] = scaled["spec"]["triggers"]
        database = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
        migrate(database)
        with database.connect() as connection:
            count: Any = connection.execute(text(trigger["metadata"]["query"])).scalar()
        database.dispose()
        assert (count, scaled["spec"]["minReplicaCount"]) == (0, 0)
        assert scaled["spec"]["scaleTargetRef"]["name"] in workloads(overlay)

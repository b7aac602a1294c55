"""Releases that are given wrong things, and clusters that go away."""

import json
import time

import pytest

from sam2vlm.artifacts import PHASES
from tests.cluster.test_whole_run import job, pods, wait_until

pytestmark = pytest.mark.cluster


def ended(cluster, namespace, component):
    conditions = job(cluster, namespace, component)["status"].get("conditions", [])
    return next((c for c in conditions if c["type"] in ("Complete", "Failed") and c["status"] == "True"), None)


def test_bad_settings_end_the_job_at_once(cluster, namespace, sample):
    done = cluster.train(namespace, "reef", sample, "--set", "preset=grand", check=False)
    assert done.returncode == 78
    condition = ended(cluster, namespace, "prepare")
    assert (condition["type"], condition["reason"]) == ("Failed", "PodFailurePolicy")
    assert "exit code 78" in condition["message"]
    (name,) = pods(cluster, namespace, "prepare")
    (pod,) = cluster.get("pods", namespace, "--selector", "sam2vlm/phase=prepare")
    said = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert said["exitCode"] == 78
    assert "no such preset" in said["message"]
    assert "\n" not in said["message"].strip()
    # Nothing else ever ran, and the coordinator ended with the phase's own code.
    assert pods(cluster, namespace, "train,sam2vlm/phase") == set()
    wait_until(lambda: ended(cluster, namespace, "coordinator"), seconds=60)
    assert "exit code 78" in ended(cluster, namespace, "coordinator")["message"]
    for phase in PHASES[1:]:
        assert job(cluster, namespace, phase)["spec"]["suspend"] is True
    assert name


def test_bad_data_ends_the_job_at_once(cluster, namespace, tmp_path):
    export = tmp_path / "export.zip"
    export.write_bytes(b"this is no archive")
    done = cluster.train(namespace, "reef", export, check=False)
    assert done.returncode == 65
    assert ended(cluster, namespace, "prepare")["reason"] == "PodFailurePolicy"
    assert len(pods(cluster, namespace, "prepare")) == 1
    status = cluster.sam2vlm("status", "--experiment", "reef", "--namespace", namespace).stdout
    assert "failed" in status
    assert status.count("held") == 3


def test_the_coordinator_outlives_the_api_server(cluster, namespace, sample):
    if cluster.control is None:
        pytest.skip("only the cluster of this machine can be broken")
    cluster.train(namespace, "reef", sample, "--detach", "--set", "settings.training.num_epochs=0.1")
    wait_until(lambda: pods(cluster, namespace, "coordinator", running=True))
    before = pods(cluster, namespace, "coordinator")
    cluster.run(str(cluster.control), "stop", "kube-apiserver")
    try:
        time.sleep(12)
    finally:
        cluster.run(str(cluster.control), "start", "kube-apiserver")
    wait_until(lambda: cluster.run("kubectl", "get", "--raw", "/readyz", check=False).returncode == 0)
    wait_until(lambda: job(cluster, namespace, "train")["spec"]["suspend"] is False)
    assert pods(cluster, namespace, "coordinator") == before
    logs = cluster.run("kubectl", "--namespace", namespace, "logs", *before).stdout
    events = [json.loads(line)["event"] for line in logs.splitlines()]
    assert "the API server is not to be had; trying again" in events
    assert "released" in events


def test_an_export_that_never_comes_is_a_passing_fault(cluster, namespace, sample):
    """The waiting container gives up with 75, and the Job starts it again."""
    values = ("--set", "export.upload.enabled=true", "--set-string", f"export.upload.sha256={'0' * 64}")
    image = ("--set", f"images.cpu.repository={cluster.prefix}-cpu", "--set", "images.cpu.tag=test")
    short = ("--set", "export.upload.timeoutSeconds=2", "--namespace", namespace)
    cluster.run("helm", "install", "reef", "charts/sam2vlm", *values, *image, *short)
    wait_until(lambda: len(pods(cluster, namespace, "prepare")) > 1, seconds=120)
    found = cluster.get("pods", namespace, "--selector", "sam2vlm/phase=prepare")
    ends = [pod["status"]["initContainerStatuses"][0]["state"].get("terminated") for pod in found]
    assert {end["exitCode"] for end in ends if end} == {75}
    assert ended(cluster, namespace, "prepare") is None


QUEUE = """
apiVersion: kueue.x-k8s.io/v1beta2
kind: ResourceFlavor
metadata: {name: NAME}
---
apiVersion: kueue.x-k8s.io/v1beta2
kind: ClusterQueue
metadata: {name: NAME}
spec:
  namespaceSelector: {}
  resourceGroups:
    - coveredResources: [cpu, memory]
      flavors: [{name: NAME, resources: [{name: cpu, nominalQuota: 2}, {name: memory, nominalQuota: 12Gi}]}]
---
apiVersion: kueue.x-k8s.io/v1beta2
kind: LocalQueue
metadata: {name: team, namespace: NAME}
spec: {clusterQueue: NAME}
"""


def test_a_queue_is_asked_for_one_phase_at_a_time(cluster, namespace, sample):
    """With Kueue, where the cluster has it: later phases are gated, and the coordinator lifts each gate in turn."""
    if cluster.started_here:
        cluster.run(str(cluster.control), "kueue")
    kinds = cluster.run("kubectl", "api-resources", "--api-group=kueue.x-k8s.io", "--output=name").stdout
    if "clusterqueues" not in kinds:
        pytest.skip("this cluster has no Kueue, and it is not the tests' own to install it")
    queue = QUEUE.replace("NAME", namespace)
    cluster.run("kubectl", "apply", "-f", "-", input=queue)
    try:
        values = ("--set", "queue.name=team", "--set", "settings.training.num_epochs=0.1")
        cluster.train(namespace, "reef", sample, "--detach", *values)
        wait_until(lambda: pods(cluster, namespace, "train"))
        gate = "kueue.x-k8s.io/admission-gated-by"
        gated = [phase for phase in PHASES if gate in job(cluster, namespace, phase)["metadata"]["annotations"]]
        assert gated == ["evaluate", "export"]
        reserved = {
            workload["metadata"]["ownerReferences"][0]["name"]
            for workload in cluster.get("workloads.kueue.x-k8s.io", namespace)
            if "admission" in workload.get("status", {})
        }
        assert reserved <= {"reef-prepare", "reef-train"}
        cluster.sam2vlm("uninstall", "--experiment", "reef", "--namespace", namespace)
    finally:
        cluster.run("kubectl", "delete", "--wait=false", "-f", "-", input=queue)

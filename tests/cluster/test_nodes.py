"""Training in two pods that are one Indexed Job, one of which is lost on the way."""

import json

import pytest

from tests.cluster.test_whole_run import job, pods, wait_until

pytestmark = pytest.mark.cluster

VALUES = {
    "phases.train.nodes": "2",
    "volume.accessModes": "{ReadWriteMany}",
    # Two pods and the system's own fit on two cores.
    "phases.train.resources.requests.cpu": "100m",
    "phases.train.resources.requests.memory": "512Mi",
    "settings.training.batch_size": "4",
    "settings.training.num_epochs": "2",
    "settings.checkpoints.save_every_steps": "5",
    "settings.tracking.eval_every_steps": "1000",
    "settings.require_learning": "false",
}


def train_pods(cluster, namespace):
    """The pods that are there, oldest first, with their numbers."""
    found = cluster.get("pods", namespace, "--selector", "sam2vlm/phase=train")
    found.sort(key=lambda pod: pod["metadata"]["creationTimestamp"])
    index = "batch.kubernetes.io/job-completion-index"
    return [(int(pod["metadata"]["annotations"][index]), pod) for pod in found]


def log_of(cluster, namespace, name):
    said = cluster.run("kubectl", "--namespace", namespace, "logs", name, check=False).stdout
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def ends(cluster, namespace):
    """How the pods that have ended did: number, exit code and last words."""
    states = [
        (number, pod["status"]["containerStatuses"][0]["state"].get("terminated"))
        for number, pod in train_pods(cluster, namespace)
        if pod["status"].get("containerStatuses")
    ]
    return [(number, state["exitCode"], state["message"]) for number, state in states if state]


def test_two_pods_train_together_stop_together_and_go_on_together(cluster, namespace, sample):
    values = [part for name, value in VALUES.items() for part in ("--set", f"{name}={value}")]
    cluster.train(namespace, "reef", sample, "--detach", *values)
    wait_until(lambda: len(pods(cluster, namespace, "train", running=True)) == 2)
    first = {number: pod["metadata"]["name"] for number, pod in train_pods(cluster, namespace)}
    assert sorted(first) == [0, 1]

    def saved():
        return any(event["event"] == "checkpoint_saved" for event in log_of(cluster, namespace, first[0]))

    wait_until(lambda: all(log_of(cluster, namespace, name) for name in first.values()))
    # The first word of every pod, so whichever kubectl chooses, is the plan.
    for name in ("job/reef-train", *first.values()):
        plan = log_of(cluster, namespace, name)[0]
        assert (plan["event"], plan["nodes"], plan["processes"], plan["fits"]) == ("plan", 2, 2, None)
        assert plan["total_gb"] > 0
    wait_until(saved)
    cluster.run("kubectl", "--namespace", namespace, "delete", "pod", first[1], "--grace-period=0", "--force")
    wait_until(lambda: ends(cluster, namespace))
    number, code, words = ends(cluster, namespace)[0]
    # Deleted by force a pod still gets a SIGTERM, and may save and say so; if it does not, it is lost.
    assert (number, code) == ((0, 75) if "node 1 was lost" in words else (0, 68))
    assert words.startswith("node 1")
    assert "checkpoint" in words

    wait_until(lambda: job(cluster, namespace, "train")["status"].get("completionTime"))
    status = job(cluster, namespace, "train")["status"]
    assert (status["succeeded"], status["completedIndexes"]) == (2, "0,1")
    done = [json.loads(words) for _, code, words in ends(cluster, namespace) if code == 0]
    assert len(done) == 2
    assert done[0] == done[1]
    (second,) = [
        pod["metadata"]["name"]
        for number, pod in train_pods(cluster, namespace)
        if number == 0 and pod["status"]["phase"] == "Succeeded"
    ]
    events = log_of(cluster, namespace, second)
    assert events[0]["event"] == "plan"
    assert next(event for event in events if event["event"] == "resuming")["step"] >= 5
    wait_until(lambda: job(cluster, namespace, "evaluate")["spec"]["suspend"] is False, seconds=60)
    said = cluster.sam2vlm("status", "--experiment", "reef", "--namespace", namespace).stdout
    assert said.count("manifest ") >= 2

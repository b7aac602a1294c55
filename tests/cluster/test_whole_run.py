"""One release from the export to the packaged model, disturbed on its way, against the same run on this machine."""

import itertools
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from sam2vlm.artifacts import PHASES, digest_of_file, files_below
from tests.cluster.conftest import CHECKOUT, Cluster, make_namespace, remove_namespace

pytestmark = pytest.mark.cluster

SETTINGS = {"training.num_epochs": "2"}
VALUES = [part for name, value in SETTINGS.items() for part in ("--set", f"settings.{name}={value}")]


@dataclass
class Run:
    """What was seen of a whole run."""

    cluster: Cluster
    namespace: str
    said: str
    coordinators: set[str]
    train_pods: set[str]
    upgrade: str
    refusal: str


@pytest.fixture(scope="module")
def run(cluster, sample):
    """The run: while it trains, the coordinator is killed, and `make train` is given a second time."""
    namespace = make_namespace(cluster)
    command = [sys.executable, "-c", "from sam2vlm.cli import main; main()", "cluster", "train"]
    image = ["--set", f"images.cpu.repository={cluster.prefix}-cpu", "--set", "images.cpu.tag=test"]
    where = ["--experiment", "reef", "--namespace", namespace, "--export", str(sample), *image, *VALUES]
    with subprocess.Popen(
        [*command, *where], env=cluster.environment, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as following:
        wait_until(lambda: pods(cluster, namespace, "train", running=True), following)
        first = pods(cluster, namespace, "coordinator")
        cluster.run("kubectl", "--namespace", namespace, "delete", "pod", *first, "--grace-period=0", "--force")
        again = cluster.train(namespace, "reef", sample, *VALUES, "--detach")
        other = cluster.train(namespace, "reef", sample, "--set", "settings.seed=1", "--detach", check=False)
        said, _ = following.communicate(timeout=1500)
    assert following.returncode == 0, said
    wait_until(lambda: job(cluster, namespace, "coordinator")["status"].get("completionTime"))
    second = pods(cluster, namespace, "coordinator")
    train = pods(cluster, namespace, "train")
    yield Run(cluster, namespace, said, first | second, train, again.stdout, other.stderr)
    remove_namespace(cluster, namespace)


@pytest.fixture(scope="module")
def local_run(sample, cluster, code, tmp_path_factory) -> Path:
    """The same four processes with the same variables on this machine."""
    folder = tmp_path_factory.mktemp("local") / "reef"
    settings = {f"SAM2VLM_{name.replace('.', '__').upper()}": value for name, value in SETTINGS.items()}
    common = {
        "SAM2VLM_RUN": str(folder),
        "SAM2VLM_EXPORT": str(sample),
        "SAM2VLM_PRESET": "demo",
        "SAM2VLM_EXPERIMENT": "reef",
    }
    for phase in PHASES:
        done = subprocess.run(
            [sys.executable, "-m", f"jobs.{phase}"],
            env={**cluster.environment, **common, **settings, "PYTHONPATH": f"{code / 'lib'}:{code}"},
            cwd=code,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def job(cluster, namespace, component):
    (found,) = cluster.get("jobs", namespace, "--selector", f"app.kubernetes.io/component={component}")
    return found


def pods(cluster, namespace, component, *, running=False):
    found = cluster.get("pods", namespace, "--selector", f"app.kubernetes.io/component={component}")
    return {pod["metadata"]["name"] for pod in found if not running or pod["status"]["phase"] == "Running"}


def wait_until(holds, process=None, seconds=600):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come to that"
        assert process is None or process.poll() is None, process.stdout.read()
        time.sleep(0.5)


def test_the_phases_ran_in_order_and_each_once(run):
    jobs = {phase: job(run.cluster, run.namespace, phase)["status"] for phase in PHASES}
    assert {phase: status.get("succeeded") for phase, status in jobs.items()} == dict.fromkeys(PHASES, 1)
    for before, after in itertools.pairwise(PHASES):
        assert jobs[before]["completionTime"] <= jobs[after]["startTime"]


def test_nothing_was_held_while_waiting(run):
    """No pod of a phase was there, even pending, before the phase before it was complete."""
    for before, after in itertools.pairwise(PHASES):
        done = job(run.cluster, run.namespace, before)["status"]["completionTime"]
        (pod,) = run.cluster.get("pods", run.namespace, "--selector", f"sam2vlm/phase={after}")
        assert pod["metadata"]["creationTimestamp"] >= done


def test_a_killed_coordinator_is_replaced_and_goes_on(run):
    assert len(run.coordinators) == 2
    coordinator = job(run.cluster, run.namespace, "coordinator")
    assert coordinator["status"]["succeeded"] == 1


def test_a_second_install_of_the_same_disturbs_nothing(run):
    assert "STATUS: deployed" in run.upgrade
    assert "is on the volume" in run.upgrade
    assert len(run.train_pods) == 1


def test_an_install_of_something_else_is_refused(run):
    (line,) = run.refusal.strip().splitlines()
    assert "one release is one run, and these values would change its Jobs" in line


def test_the_artifacts_are_those_of_a_local_run(run, local_run, tmp_path):
    run.cluster.sam2vlm(
        "fetch", "--experiment", "reef", "--namespace", run.namespace, "--into", str(tmp_path / "all"), "--everything"
    )
    left_out = ("logs/*", ".*")
    found = {name: digest_of_file(tmp_path / "all" / name) for name in files_below(tmp_path / "all", exclude=left_out)}
    expected = {name: digest_of_file(local_run / name) for name in files_below(local_run, exclude=left_out)}
    assert found == expected
    assert {f"{phase}/manifest.json" for phase in PHASES} <= set(found)
    assert any(name.startswith("export/merged/") and name.endswith(".safetensors") for name in found)


def test_the_results_can_be_fetched_and_no_pod_stays(run, local_run, tmp_path):
    done = run.cluster.sam2vlm(
        "fetch", "--experiment", "reef", "--namespace", run.namespace, "--into", str(tmp_path / "reef")
    )
    assert "prepare, train, evaluate, export" in done.stdout
    for name in ("evaluate/metrics.json", "evaluate/report.md", "export/README.md", "prepare/report.md"):
        assert (tmp_path / "reef" / name).read_bytes() == (local_run / name).read_bytes()
    assert not (tmp_path / "reef" / "prepare" / "dataset").exists()
    wait_until(lambda: not pods(run.cluster, run.namespace, "fetch"), seconds=60)


def test_every_line_of_every_log_is_json(run):
    for component in (*PHASES, "coordinator"):
        for pod in pods(run.cluster, run.namespace, component):
            logs = run.cluster.run("kubectl", "--namespace", run.namespace, "logs", pod, "--all-containers").stdout
            events = [json.loads(line) for line in logs.splitlines()]
            assert events
            assert all({"event", "level", "timestamp", "phase"} <= set(event) for event in events)


def test_the_first_line_of_the_train_jobs_log_is_the_plan(run):
    done = run.cluster.run("kubectl", "--namespace", run.namespace, "logs", "job/reef-train")
    plan = json.loads(done.stdout.splitlines()[0])
    assert (plan["event"], plan["processes"]) == ("plan", 1)
    assert plan["total_gb"] > plan["weights_gb"] > 0
    # There is no GPU here, and so nothing to hold it against.
    assert (plan["gpu"], plan["fits"], plan["hours"]) == (None, None, None)


def test_following_showed_every_phase(run):
    shown = [json.loads(line)["phase"] for line in run.said.splitlines() if line.startswith("{")]
    assert list(dict.fromkeys(shown)) == list(PHASES)


def test_status_says_complete(run):
    done = run.cluster.sam2vlm("status", "--experiment", "reef", "--namespace", run.namespace)
    assert done.stdout.count("complete") == 4
    assert done.stdout.count("manifest ") == 4


def test_helm_test_passes(run):
    done = run.cluster.run("helm", "test", "reef", "--namespace", run.namespace, "--timeout", "180s")
    assert "Succeeded" in done.stdout


def test_uninstall_leaves_the_volume_and_nothing_else(run):
    """It takes the release away, so that only what needs none may come after it."""
    run.cluster.sam2vlm("uninstall", "--experiment", "reef", "--namespace", run.namespace)
    kinds = "jobs,pods,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,persistentvolumeclaims"
    left = {(thing["kind"], thing["metadata"]["name"]) for thing in run.cluster.get(kinds, run.namespace)}
    own = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
    assert left - own == {("PersistentVolumeClaim", "reef")}


def test_a_release_of_the_same_name_takes_the_volume_up_again(run, sample):
    """After the uninstall: the kept claim is adopted, the export is there, and prepare finds its work done."""
    said = run.cluster.train(run.namespace, "reef", sample, *VALUES, "--detach").stdout
    assert "is on the volume" in said
    wait_until(lambda: job(run.cluster, run.namespace, "prepare")["status"].get("completionTime"))
    (pod,) = pods(run.cluster, run.namespace, "prepare")
    logs = run.cluster.run("kubectl", "--namespace", run.namespace, "logs", pod, "--container", "prepare").stdout
    assert [json.loads(line)["event"] for line in logs.splitlines()] == ["already done"]
    run.cluster.sam2vlm("uninstall", "--experiment", "reef", "--namespace", run.namespace)

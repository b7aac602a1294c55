"""Listings read into states."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.cluster.observe import job_name, manifest_of, phase_states, pods_of, selector
from sam2vlm.cluster.order import PhaseState, Status
from tests.unit.cluster.listings import DIGEST, done_pod, job, pod


def test_a_release_under_way():
    jobs = [
        job("export", released=False),
        job("prepare", condition="Complete"),
        job("train"),
        job("evaluate", released=False),
    ]
    assert phase_states("reef", jobs, [pod("train"), done_pod("prepare")]) == [
        PhaseState("prepare", "reef-prepare", Status.COMPLETE, pod_seen=True, manifest=DIGEST),
        PhaseState("train", "reef-train", Status.RELEASED),
        PhaseState("evaluate", "reef-evaluate", Status.HELD),
        PhaseState("export", "reef-export", Status.HELD),
    ]


def test_nothing_is_there():
    assert [state.status for state in phase_states("reef", [], [])] == [Status.MISSING] * 4


def test_a_paused_job_is_not_held():
    """Somebody suspended it by hand: the coordinator must not take that for its turn not having come."""
    paused = job("train", suspended=True)
    paused["spec"]["suspend"] = True
    assert phase_states("reef", [paused], [])[1].status is Status.RELEASED


def test_a_condition_that_is_false_does_not_count():
    running = job("train", condition="Failed")
    running["status"]["conditions"][0]["status"] = "False"
    assert phase_states("reef", [running], [])[1].status is Status.RELEASED


def test_the_last_failure_speaks():
    pods = [
        pod("train", status="Failed", exit_code=1, message="first", finished="2031-01-01T00:01:00Z", name="a"),
        pod("train", status="Failed", exit_code=78, message="second\n", finished="2031-01-01T00:02:00Z", name="b"),
    ]
    state = phase_states("reef", [job("train", condition="Failed", message="it failed")], pods)[1]
    assert (state.status, state.exit_code, state.cause) == (Status.FAILED, 78, "second")


def test_a_node_that_followed_another_one_is_not_the_cause():
    pods = [
        pod("train", status="Failed", exit_code=75, message="node 1 was lost", finished="2031-01-01T00:01:00Z"),
        pod("train", status="Failed", exit_code=68, message="node 0: ...", finished="2031-01-01T00:02:00Z", name="b"),
    ]
    state = phase_states("reef", [job("train", condition="Failed", message="it failed")], pods)[1]
    assert (state.exit_code, state.cause) == (75, "node 1 was lost")


def test_an_init_container_can_be_the_cause():
    failed = pod("prepare", status="Failed")
    failed["status"] |= {
        "initContainerStatuses": [
            {"name": "receive", "state": {"terminated": {"exitCode": 65, "message": "is another file"}}}
        ],
        "containerStatuses": [{"name": "prepare", "state": {"waiting": {}}}],
    }
    state = phase_states("reef", [job("prepare", condition="Failed")], [failed])[0]
    assert (state.exit_code, state.cause) == (65, "is another file")


def test_a_container_without_last_words_says_why_it_was_killed():
    killed = pod("train", status="Failed", exit_code=137)
    killed["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] = "OOMKilled"
    state = phase_states("reef", [job("train", condition="Failed")], [killed])[1]
    assert state.cause == "exit code 137, OOMKilled"


def test_with_its_pods_gone_the_condition_is_read():
    said = "Container train for pod lab/reef-train-x failed with exit code 78 matching FailJob rule at index 1"
    state = phase_states("reef", [job("train", condition="Failed", message=said)], [])[1]
    assert (state.exit_code, state.cause) == (78, said)
    late = phase_states("reef", [job("train", condition="Failed", message="Job was active too long")], [])[1]
    assert (late.exit_code, late.cause) == (None, "Job was active too long")


def test_pods_of_an_earlier_job_of_the_same_name_are_not_its_own():
    """Uninstalled and installed again: the old pods may still be going."""
    old = done_pod("prepare", owner="job-of-yesterday")
    assert phase_states("reef", [job("prepare", condition="Complete")], [old])[0].pod_seen is False


def test_pods_come_oldest_first():
    pods = [
        pod("train", name="b", created="2031-01-02T00:00:00Z"),
        pod("train", name="a", created="2031-01-01T00:00:00Z"),
    ]
    assert [found["metadata"]["name"] for found in pods_of("train", None, pods)] == ["a", "b"]


@pytest.mark.parametrize(
    "message",
    [None, "", "done", "[]", "{}", '{"manifest": 3}', '{"manifest": "abc"}', f'{{"manifest": "{DIGEST}0"}}', "null"],
)
def test_last_words_that_name_no_manifest(message):
    assert manifest_of(message) is None


def test_last_words_that_do():
    assert manifest_of(f'{{"phase": "train", "status": "done", "manifest": "{DIGEST}"}}') == DIGEST


@given(st.text())
def test_any_last_words_can_be_read(message):
    assert manifest_of(message) is None or len(manifest_of(message)) == 64


def test_names():
    assert job_name("reef", "train") == "reef-train"
    cut = job("train")
    cut["metadata"]["name"] = "cut-0a1b2c3d-train"
    assert job_name("x" * 53, "train", [cut]) == "cut-0a1b2c3d-train"
    assert selector("reef") == "app.kubernetes.io/instance=reef,sam2vlm/phase"

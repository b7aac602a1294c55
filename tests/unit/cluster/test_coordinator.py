"""The loop around the decision, against clusters that misbehave. The real one is in tests/cluster."""

import pytest

from sam2vlm.artifacts import PHASES
from sam2vlm.cluster.coordinator import (
    ClusterDeniedError,
    ClusterUnavailableError,
    Observation,
    PhaseFailedError,
    coordinate,
)
from sam2vlm.cluster.observe import phase_states
from sam2vlm.errors import SettingsError
from tests.unit.cluster.listings import done_pod, job, pod


class Scripted:
    """A cluster in which each wait finishes the running phase, or raises what the script says."""

    def __init__(self, *faults, fails=None):
        self.faults = list(faults)
        self.fails = fails
        self.released = ["prepare"]
        self.finished = []
        self.waits = []

    def observe(self):
        self._fault("observe")
        jobs, pods = [], []
        for phase in PHASES:
            condition = None
            if phase in self.finished:
                condition = "Failed" if phase == self.fails else "Complete"
                pods.append(
                    pod(phase, status="Failed", exit_code=65, message="bad data")
                    if phase == self.fails
                    else done_pod(phase)
                )
            jobs.append(job(phase, condition=condition, released=phase in self.released))
        return Observation(tuple(phase_states("reef", jobs, pods)), str(len(self.waits)))

    def release(self, name):
        self._fault("release")
        self.released.append(name.removeprefix("reef-"))

    def wait_for_change(self, version, timeout_s):
        self._fault("wait")
        self.waits.append((version, timeout_s))
        self.finished.append(self.released[-1])

    def _fault(self, place):
        if self.faults and self.faults[0][0] == place:
            raise self.faults.pop(0)[1]


def run(cluster):
    pauses = []
    coordinate(cluster, resync_s=7.0, sleep=pauses.append)
    return pauses


def test_all_phases_in_order():
    cluster = Scripted()
    assert run(cluster) == []
    assert cluster.released == list(PHASES)
    assert cluster.waits == [(str(number), 7.0) for number in range(4)]


def test_an_api_server_that_goes_away_is_asked_again_and_ever_more_slowly():
    lost = ClusterUnavailableError("gone")
    cluster = Scripted(*[("observe", lost)] * 8, ("release", lost), ("wait", lost))
    assert run(cluster) == [1, 2, 4, 8, 15, 30, 30, 30, 1, 1]
    assert cluster.released == list(PHASES)


def test_a_denial_that_lasts_is_a_setting():
    cluster = Scripted(*[("observe", ClusterDeniedError("could not list Jobs: 403 Forbidden"))] * 9)
    with pytest.raises(SettingsError, match="Role must allow it"):
        run(cluster)


def test_a_denial_that_passes_is_borne():
    cluster = Scripted(*[("observe", ClusterDeniedError("403"))] * 3)
    assert run(cluster) == [1, 2, 4]


def test_a_failed_phase_ends_it_with_its_code():
    cluster = Scripted(fails="train")
    with pytest.raises(PhaseFailedError) as caught:
        run(cluster)
    assert caught.value.exit_code == 65
    assert str(caught.value) == "train failed with exit code 65: bad data; evaluate, export will not run"
    assert cluster.released == ["prepare", "train"]

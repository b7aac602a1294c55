"""Several nodes: which one this is, how they find each other, and how each ends."""

from __future__ import annotations

import json
import socket
import time

import pytest

from jobs.train.network import interface_of
from jobs.train.nodes import Node, NodeEnd, ends_of_all, this_node
from jobs.train.other_node import join
from jobs.train.settings import RendezvousSettings
from jobs.train.verdicts import Verdict
from sam2vlm.errors import RendezvousError, SettingsError
from tests.node_meetings import Meeting

pytestmark = pytest.mark.usefixtures("impatient")

HERE = RendezvousSettings(host="127.0.0.1")
DONE, DATA, WRONG = Verdict(0, "done"), Verdict(65, "bad data"), Verdict(78, "bad settings")
STOPPED, FULL = Verdict(75, "stopped"), Verdict(75, "no space left")
CRASH, LOST = Verdict(1, "KeyError"), Verdict(1, "lost another training process", follows=True)
GONE = None


@pytest.mark.parametrize("index", ["", "2", "-1", "one", "²"])
def test_a_node_has_a_number_of_its_own(monkeypatch, index):
    monkeypatch.setenv("JOB_COMPLETION_INDEX", index)
    with pytest.raises(SettingsError, match=r"JOB_COMPLETION_INDEX: .*expected 0 to 1; found"):
        this_node(2, HERE)


def test_a_node_knows_where_the_first_one_is(monkeypatch):
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")
    assert this_node(2, HERE) == Node(1, 2, "127.0.0.1", 29400, 900.0)
    with pytest.raises(SettingsError, match="SAM2VLM_RENDEZVOUS__HOST"):
        this_node(2, RendezvousSettings())


def test_one_node_alone_needs_neither(monkeypatch):
    monkeypatch.delenv("JOB_COMPLETION_INDEX", raising=False)
    assert this_node(1, RendezvousSettings()) is None


@pytest.mark.parametrize(
    ("verdicts", "interrupted", "codes"),
    [
        # Success and what no retry helps are everyone's.
        ([DONE, DONE], set(), [0, 0]),
        ([DONE, GONE], set(), [0, 0]),
        ([LOST, DATA], set(), [65, 65]),
        ([WRONG, LOST], set(), [78, 78]),
        ([DATA, GONE], set(), [65, 65]),
        # Else only the node with the cause counts.
        ([STOPPED, STOPPED], {1}, [68, 75]),
        ([STOPPED, STOPPED], {0}, [75, 68]),
        ([STOPPED, STOPPED], {0, 1}, [75, 75]),
        ([LOST, CRASH], set(), [68, 1]),
        ([CRASH, LOST], set(), [1, 68]),
        ([LOST, FULL, LOST], set(), [68, 75, 68]),
        # Node 0 answers for one that said nothing; what the others met with is a consequence.
        ([LOST, GONE], set(), [75, 68]),
        ([CRASH, GONE, CRASH], set(), [75, 68, 68]),
        ([LOST, LOST], set(), [1, 68]),
    ],
)
def test_a_stop_counts_once_whatever_the_number_of_nodes(verdicts, interrupted, codes):
    ends = {node: NodeEnd(verdict, node in interrupted) for node, verdict in enumerate(verdicts)}
    assert [verdict.exit_code for verdict in ends_of_all(ends).values()] == codes


def test_those_that_follow_name_the_node_with_the_cause():
    finals = ends_of_all({0: NodeEnd(LOST), 1: NodeEnd(CRASH)})
    assert (finals[0].message, finals[1].message) == ("node 1: KeyError", "KeyError")
    finals = ends_of_all({0: NodeEnd(LOST), 1: NodeEnd(None), 2: NodeEnd(None), 3: NodeEnd(LOST)})
    assert finals[0].message == "nodes 1, 2 were lost; start all again to go on from the last checkpoint"


def test_all_begin_with_what_the_first_one_says_and_end_together(tmp_path):
    meeting = Meeting(tmp_path, count=3)
    others = [
        meeting.other(index, lambda found: (found[1], found[0].settle(DONE, interrupted=False))) for index in (2, 1)
    ]
    with meeting.first() as first:
        first.gather()
        first.begin({"resume_step": 8})
        assert first.settle(DONE, interrupted=False) == DONE
    assert [ended() for ended in others] == [({"resume_step": 8}, DONE)] * 2
    # What only the start needs does not stay on the volume.
    assert list(tmp_path.iterdir()) == []


def test_a_node_that_comes_before_the_first_one_waits(meeting):
    ended = meeting.other(1, lambda found: found[1])
    time.sleep(0.3)
    with meeting.first() as first:
        first.gather()
        first.begin({"x": 1})
    assert ended() == {"x": 1}


def test_a_node_that_is_gone_stops_the_others_at_once(tmp_path):
    meeting = Meeting(tmp_path, count=3)

    def vanish(found):
        found[0]._peer.close()

    def stay(found):
        began = time.monotonic()
        while not found[0].must_stop(wait=0.05):
            assert time.monotonic() < began + 10
        return found[0].settle(LOST, interrupted=False)

    meeting.other(1, vanish)
    staying = meeting.other(2, stay)
    with meeting.first() as first:
        first.gather()
        first.begin({})
        began = time.monotonic()
        while not first.must_stop(wait=0.05):
            assert time.monotonic() < began + 10
        own = first.settle(LOST, interrupted=False)
    assert (own.exit_code, own.message[:15]) == (75, "node 1 was lost")
    assert (staying().exit_code, staying().message[:23]) == (68, "node 0: node 1 was lost")


def test_when_the_first_node_is_gone_the_others_stop(meeting):
    def stay(found):
        while not found[0].must_stop(wait=0.05):
            pass
        return found[0].settle(LOST, interrupted=False)

    ended = meeting.other(1, stay)
    with meeting.first() as first:
        first.gather()
        first.begin({})
    assert (ended().exit_code, ended().message[:15]) == (68, "node 0 was lost")


def test_nobody_holds_a_gpu_for_longer_than_is_set(tmp_path):
    meeting = Meeting(tmp_path, count=3, timeout_s=0.8)
    waiting = meeting.other(2)
    with (
        pytest.raises(RendezvousError, match=r"^2 of 3 nodes were there after 1 s, without 1; give") as told,
        meeting.first() as first,
    ):
        first.gather()
    assert told.value.exit_code == 69
    assert (waiting().exit_code, waiting().message) == (68, f"node 0: {told.value}")


def test_a_first_node_that_never_comes_is_named(tmp_path):
    error = Meeting(tmp_path, timeout_s=0.2).other(1)()
    assert error.exit_code == 69
    assert "node 0 was not to be reached within 0 s" in str(error)
    assert "127.0.0.1:" in str(error)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"fingerprint": "g"}, "node 1 was started with other inputs, settings or seed than node 0"),
        (
            {"folder": "elsewhere"},
            "node 1 does not see what node 0 writes; all nodes need the run's folder on one volume",
        ),
    ],
)
def test_a_node_that_cannot_belong_ends_all_with_78(meeting, tmp_path, other, sentence):
    if "folder" in other:
        other = {"folder": tmp_path / other["folder"]}
    ended = meeting.other(1, **other)
    with pytest.raises(SettingsError, match=sentence), meeting.first() as first:
        first.gather()
    assert ended().exit_code == 78
    assert sentence in ended().message


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n\r\n", b'{"node": 7}\n', b'{"node": "1"}\n', b"[" * 5000 + b"\n", b""]
)
def test_a_stranger_is_sent_away_and_disturbs_nobody(meeting, said):
    with meeting.first() as first:
        with socket.create_connection(("127.0.0.1", meeting.port)) as stranger:
            stranger.sendall(said)
            if not said:
                stranger.shutdown(socket.SHUT_RDWR)
            ended = meeting.other(1, lambda found: found[1])
            first.gather()
            first.begin({"x": 1})
        assert ended() == {"x": 1}


def test_a_node_that_was_started_again_before_all_were_there_takes_its_old_place(tmp_path):
    meeting = Meeting(tmp_path, count=3)
    with meeting.first() as first:
        with socket.create_connection(("127.0.0.1", meeting.port)) as early:
            hello = {"node": 1, "fingerprint": "f", "mark": (tmp_path / ".train-nodes").read_text()}
            early.sendall(json.dumps(hello).encode() + b"\n")
            while 1 not in first._members:
                first._step(0.1)
            place = first._members[1]
            ended = meeting.other(1, lambda found: found[1])
            while first._members[1] is place:
                first._step(0.1)
            last = meeting.other(2, lambda found: found[1])
            first.gather()
        first.begin({"x": 1})
        assert ended() == last() == {"x": 1}


def test_what_is_finished_needs_no_first_node(tmp_path):
    assert join(Meeting(tmp_path).node(1), fingerprint="f", folder=tmp_path, finished=lambda: True) is None


def test_the_interface_with_an_address():
    assert interface_of("127.0.0.1") == "lo"
    assert interface_of("203.0.113.1") is None

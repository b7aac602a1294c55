"""What comes to the nodes' meeting, or answers in node 0's place, and is not what they wait for."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time

import pytest
from pydantic import ValidationError

from jobs.train import other_node
from jobs.train.settings import RendezvousSettings
from jobs.train.verdicts import Verdict
from sam2vlm.errors import SettingsError
from tests.node_meetings import Meeting

pytestmark = pytest.mark.usefixtures("impatient")

DONE = Verdict(0, "done")


def hello(folder):
    mark = (folder / ".train-nodes").read_text()
    return json.dumps({"node": 1, "fingerprint": "f", "mark": mark}).encode() + b"\n"


def test_a_second_launcher_of_a_node_does_not_take_its_place_once_all_have_begun(meeting):
    """It had connected in time and says who it is when the training runs: then the node beside it is the one."""
    with meeting.first() as first, socket.create_connection(("127.0.0.1", meeting.port), timeout=10) as second:
        late = hello(meeting.folder)
        while len(first._selector.get_map()) < 2:
            first._step(0.1)
        ended = meeting.other(1, lambda found: found[0].settle(DONE, interrupted=False))
        first.gather()
        with contextlib.suppress(OSError):
            second.sendall(late)
        first.begin({})
        assert not first.must_stop(wait=0.2)
        assert first.settle(DONE, interrupted=False) == DONE
        assert ended() == DONE


def test_a_node_that_breaks_off_as_soon_as_it_has_said_who_it_is_may_come_again(meeting):
    with meeting.first() as first:
        with socket.create_connection(("127.0.0.1", meeting.port)) as early:
            while len(first._selector.get_map()) < 2:
                first._step(0.1)
            early.sendall(hello(meeting.folder))
            # Closed like this the other end is told at once, and its system forgets whose connection it was.
            early.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        while not first._members:
            first._step(0.1)
        while first._members:
            first._step(0.1)
        ended = meeting.other(1, lambda found: found[1])
        first.gather()
        first.begin({"x": 1})
        assert ended() == {"x": 1}


def test_a_node_is_replaced_in_the_moment_in_which_its_loss_is_seen(meeting):
    with meeting.first() as first, contextlib.ExitStack() as stack:
        early, late = (
            stack.enter_context(socket.create_connection(("127.0.0.1", meeting.port), timeout=10)) for _ in range(2)
        )
        early.sendall(hello(meeting.folder))
        while not first._members or len(first._selector.get_map()) < 3:
            first._step(0.1)
        first._step(0)
        late.sendall(hello(meeting.folder))
        early.close()
        first._step(0.1)
        first._step(0)
        assert [member.connection.getpeername() for member in first._members.values()] == [late.getsockname()]


@pytest.mark.parametrize("said", [b"", b"220 mail ready\r\n", b'{"begin": {}}\n', b'{"mark"'])
def test_what_is_not_node_0_is_not_waited_for(tmp_path, monkeypatch, said):
    """A wrong address, or a service in node 0's place: most of them wait for ever for their caller's first word."""
    monkeypatch.setattr(other_node, "CONNECT_TIMEOUT_S", 0.05)
    meeting = Meeting(tmp_path, timeout_s=0.2)
    with socket.create_server(("127.0.0.1", meeting.port)) as service:
        ended, stop = meeting.other(1), threading.Event()

        def serve():
            service.settimeout(0.05)
            callers = []
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    callers.append(service.accept()[0])
                    callers[-1].sendall(said)
            for caller in callers:
                caller.close()

        serving = threading.Thread(target=serve)
        serving.start()
        time.sleep(0.4)
        stop.set()
        serving.join()
    error = ended()
    assert error.exit_code == 69
    assert str(error).endswith("(found something else than node 0)")


@pytest.mark.parametrize("own", [0, 1], ids=["its own", "torchrun's"])
def test_a_port_that_another_one_has_ends_node_0_before_it_waits(meeting, tmp_path, own):
    taken = meeting.port + own
    with (
        socket.create_server(("127.0.0.1", taken)),
        pytest.raises(SettingsError, match=rf"^SAM2VLM_RENDEZVOUS__PORT: .*\(expected a free port.*; found {taken}: "),
    ):
        meeting.first()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["a" * 64, "reef..train", ".reef"])
def test_a_name_that_cannot_be_looked_up_is_refused(host):
    with pytest.raises(ValidationError, match="is no name or address of a machine"):
        RendezvousSettings(host=host)
    assert RendezvousSettings(host="::1").host == "::1"

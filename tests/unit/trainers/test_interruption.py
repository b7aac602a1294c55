from __future__ import annotations

import os
import signal

import pytest

from sam2vlm.trainers.interruption import Interruption


@pytest.fixture
def handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_remembered_and_the_process_goes_on(handlers, number):
    interruption = Interruption()
    interruption.listen()
    assert not interruption.agree()
    os.kill(os.getpid(), number)
    assert interruption.agree()
    assert interruption.agreed

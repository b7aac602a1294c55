from __future__ import annotations

import numpy as np
import pytest
import torch

from sam2vlm.tracking import Throughput
from sam2vlm.tracking.throughput import peak_memory


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_evaluations_and_checkpoints_are_no_time_and_carried_tokens_no_work():
    clock = Clock()
    throughput = Throughput(samples_per_step=8, clock=clock)
    throughput.start(step=4, tokens=1000)
    clock.now += 2
    throughput.step_done()
    clock.now += 60  # an evaluation
    throughput.leave_out()
    clock.now += 3
    throughput.step_done()
    figures = throughput.take(step=6, tokens=3500)
    assert figures["tokens_per_second"] == (3500 - 1000) / 5
    assert figures["samples_per_second"] == 2 * 8 / 5
    clock.now += 4
    throughput.step_done()
    assert throughput.take(step=7, tokens=800)["tokens_per_second"] == 200


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU it is the GPU's memory that counts")
def test_the_peak_grows_with_what_is_held():
    before = peak_memory()
    held = np.ones(before // 8 + 2**23)
    assert peak_memory() > before
    assert held.nbytes > before

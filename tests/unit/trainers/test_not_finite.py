"""The sentence about a figure that is no finite number: short enough to be read where it ends up."""

from __future__ import annotations

import math

import pytest
from structlog.testing import capture_logs

from sam2vlm.checkpoints import CheckpointManager
from sam2vlm.errors import DataError
from sam2vlm.trainers.not_finite import refuse_not_finite


def refusal(tmp_path, names):
    manager = CheckpointManager(tmp_path, fingerprint="f", world_size=1)
    with capture_logs() as events, pytest.raises(DataError) as raised:
        refuse_not_finite(math.nan, what="gradient", field="grad_norm", step=3, names=names, checkpoints=manager)
    return str(raised.value), events


def test_few_samples_are_all_named_each_once(tmp_path):
    told, events = refusal(tmp_path, ["video/1", "video/2", "video/1"])
    assert told.startswith("video/1, video/2: grad_norm: the gradient is not finite at step 3; ")
    assert events == []


def test_of_the_thousands_of_a_packed_step_the_sentence_names_some_and_the_log_all(tmp_path):
    """Kubernetes keeps 4,096 letters, from the beginning: there were only names."""
    names = [f"a-video-with-a-long-name/{number:06d}" for number in range(5000)]
    told, events = refusal(tmp_path, names)
    assert len(told) < 1000
    assert f"{names[15]} and 4984 more, which the log names: grad_norm: the gradient is not finite" in told
    assert names[16] not in told
    (event,) = events
    assert (event["event"], event["samples"]) == ("not_finite", names)

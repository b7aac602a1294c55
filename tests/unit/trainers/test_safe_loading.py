from __future__ import annotations

import os
import pickle

import pytest
import torch
from deepspeed.runtime.checkpoint_engine.torch_checkpoint_engine import TorchCheckpointEngine
from deepspeed.runtime.fp16.loss_scaler import DynamicLossScaler, LossScaler
from deepspeed.runtime.zero.config import ZeroStageEnum
from deepspeed.utils.tensor_fragment import fragment_address

from sam2vlm.checkpoints import Checkpoint, CheckpointManifest
from sam2vlm.errors import DataError
from sam2vlm.trainers.safe_loading import load_values_only, naming_the_checkpoint


class Payload:
    """Makes a folder where it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.setattr(TorchCheckpointEngine, "load", TorchCheckpointEngine.load)
    load_values_only()
    return TorchCheckpointEngine()


@pytest.fixture
def checkpoint(tmp_path):
    facts = {"fingerprint": "f", "step": 4, "epoch": 1.0, "loss": 1.0, "metric": None, "world_size": 1, "files": {}}
    return Checkpoint(tmp_path / "step-000004", CheckpointManifest(**facts))


def test_what_deepspeed_writes_comes_back(engine, tmp_path):
    scaler = DynamicLossScaler(
        init_scale=2**12,
        scale_window=7,
        min_scale=1.0,
        delayed_shift=2,
        consecutive_hysteresis=False,
    )
    scaler.cur_scale, scaler.last_overflow_iter, scaler.cur_hysteresis = 2.0**11, 5, 1
    state = {
        "loss_scaler": scaler,
        "static": LossScaler(scale=3.0),
        "zero_stage": ZeroStageEnum.gradients,
        "fragments": [fragment_address(numel=3, start=2)],
        "weights": torch.arange(5.0),
    }
    torch.save(state, tmp_path / "states.pt")
    found = engine.load(str(tmp_path / "states.pt"), map_location="cpu")
    assert vars(found["loss_scaler"]) == vars(scaler)
    assert found["loss_scaler"].cur_scale == 2**11
    assert found["static"].cur_scale == 3.0
    assert found["zero_stage"] is ZeroStageEnum.gradients
    assert found["fragments"] == state["fragments"]
    assert torch.equal(found["weights"], state["weights"])


def test_a_payload_is_neither_run_nor_taken(engine, tmp_path, checkpoint):
    mark = tmp_path / "mark"
    torch.save({"weights": torch.ones(3), "more": Payload(mark)}, tmp_path / "states.pt")
    with pytest.raises(DataError) as caught, naming_the_checkpoint(checkpoint):
        engine.load(str(tmp_path / "states.pt"))
    assert not mark.exists()
    assert str(caught.value).startswith("step-000004: holds something else than numbers")
    assert "mkdir" in str(caught.value)
    torch.load(tmp_path / "states.pt", weights_only=False)
    assert mark.exists()


def test_a_plain_pickle_is_refused_too(engine, tmp_path, checkpoint):
    mark = tmp_path / "mark"
    (tmp_path / "states.pt").write_bytes(pickle.dumps(Payload(mark), protocol=2))
    with pytest.raises(DataError, match="step-000004"), naming_the_checkpoint(checkpoint):
        engine.load(str(tmp_path / "states.pt"))
    assert not mark.exists()


def test_other_errors_pass(checkpoint):
    with pytest.raises(KeyError), naming_the_checkpoint(checkpoint):
        raise KeyError("optimizer")

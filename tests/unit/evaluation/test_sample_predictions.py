"""Asking a model in the middle of its training: the same answers as the evaluation's, and nothing is changed by it."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import TrainerControl, TrainerState

from sam2vlm.annotations.overlay import scaled_area
from sam2vlm.evaluation.frames import draw_frames, read_split
from sam2vlm.evaluation.generation import predict, true_answers
from sam2vlm.evaluation.pictures import BAR, TRUE_COLOUR
from sam2vlm.evaluation.sample_predictions import answer_rows, figures_of, show_answers
from sam2vlm.modeling.adapter import load_adapter
from sam2vlm.modeling.boxes import boxes_of
from sam2vlm.modeling.loading import load_model, load_processor
from sam2vlm.trainers.predictions import PredictionsCallback


@pytest.fixture(scope="module")
def rows_of(layout):
    return read_split(layout.dataset, "test")


@pytest.fixture(scope="module")
def asked(layout, base, rows_of):
    """A model in training, and what asking it takes."""
    torch.set_num_threads(1)
    processor = load_processor(layout.adapter, name=base.source.name)
    model = load_adapter(load_model(base.source, class_name=base.entry.class_name, dtype=torch.float32), layout.adapter)
    model.train()
    for name, weight in model.named_parameters():
        weight.requires_grad_("lora_" in name)
    frames = draw_frames(rows_of, number=2, seed=3)
    return model, processor, rows_of, frames, boxes_of(base.entry, processor)


def test_frames_are_drawn_by_seed_and_stay_the_same(rows_of):
    drawn = [[frame.row for frame in draw_frames(rows_of, number=3, seed=seed)] for seed in (1, 1, 2, 3)]
    assert drawn[0] == drawn[1] == sorted(drawn[0])
    assert len({tuple(rows) for rows in drawn}) > 1
    assert [frame.row for frame in draw_frames(rows_of, number=99, seed=1)] == list(range(6))


def random_states():
    numpys = np.random.get_state()[1].tolist()  # noqa: NPY002  the global one is what libraries draw from
    return random.getstate(), numpys, torch.get_rng_state().tolist()


def test_the_answers_are_the_evaluations_and_nothing_is_touched(asked):
    model, processor, split, frames, boxes = asked
    before = random_states()
    rows = answer_rows(
        model, processor, split, frames, boxes=boxes, batch_size=2, max_new_tokens=6, device=torch.device("cpu")
    )
    assert random_states() == before
    assert model.training
    model.eval()
    wanted = predict(model, processor, split, frames, name=None, boxes=boxes, batch_size=2, max_new_tokens=6)
    model.train()
    assert rows == wanted
    assert [row["task"] for row in rows] == ["detect", "detect", "count", "count"]


def test_a_training_step_behind_it_has_its_gradients(asked):
    model, processor, split, frames, boxes = asked
    answer_rows(
        model, processor, split, frames, boxes=boxes, batch_size=1, max_new_tokens=1, device=torch.device("cpu")
    )
    tokens = torch.tensor([processor.tokenizer("a crab")["input_ids"]])
    model(input_ids=tokens, labels=tokens).loss.backward()
    assert all(
        weight.grad is not None
        for name, weight in model.named_parameters()
        if "language_model" in name and "lora_" in name
    )


def test_the_truth_stands_beside_the_prediction_and_texts_say_both(asked):
    _, _, split, frames, boxes = asked
    rows = true_answers(frames, boxes=boxes)
    rows[0] = {**rows[0], "answer": "<b>#1</b>", "finished": False, "objects": []}
    first, second = show_answers(split, frames, rows, step=7)
    assert [first.name, second.name] == [frame.sample_id for frame in frames]
    assert "    <b>#1</b>" in first.text
    assert "answer (cut off)" in first.text
    assert f"    {rows[0]['truth']['answer']}" in first.text
    assert f"**{rows[2]['prompt']}**" in first.text
    picture = Image.open(io.BytesIO(second.picture)).convert("RGB")
    width = (picture.width - 8) // 2
    scale = width / frames[1].width
    for item in frames[1].truth:
        left, top, _, bottom = scaled_area(item.bbox, scale)
        edge = [picture.getpixel((round(left), BAR + round(y))) for y in np.linspace(top, bottom, 40)]
        assert TRUE_COLOUR in edge
    assert figures_of(true_answers(frames, boxes=boxes), frames)["count_accuracy"] == 1.0


class Figures:
    """What the callback of the figures is given."""

    def __init__(self):
        self.shown = []

    def show(self, state, predictions, figures):
        self.shown.append(state.global_step)


class Arguments:
    device = "cpu"


def asked_at(epoch_steps, *, stop_at=None, evaluations=()):
    figures = Figures()
    callback = PredictionsCallback(lambda *_: ([], {}), figures=figures, epoch_steps=epoch_steps)
    for step in range(11):
        state = TrainerState(global_step=step, max_steps=10)
        control = TrainerControl(should_training_stop=step == stop_at)
        if step:
            callback.on_step_end(Arguments, state, control, model=None)
        if step in evaluations:
            callback.on_evaluate(Arguments, state, control, model=None)
    return figures.shown


def test_it_is_asked_at_the_end_of_epochs_and_of_training_or_at_evaluations():
    assert asked_at(4, evaluations=(0, 5)) == [4, 8, 10]
    assert asked_at(5, evaluations=(5, 10)) == [5, 10]
    assert asked_at(None, evaluations=(0, 5, 10)) == [0, 5, 10]


def test_without_memory_for_it_training_goes_on_without_pictures():
    figures, asked = Figures(), []

    def ask(_model, _device, step):
        asked.append(step)
        raise torch.OutOfMemoryError("CUDA out of memory")

    arguments = {"figures": figures, "epoch_steps": 4}
    callback = PredictionsCallback(ask, **arguments)
    for step in (4, 8):
        callback.on_step_end(Arguments, TrainerState(global_step=step, max_steps=10), TrainerControl(), model=None)
    assert (asked, figures.shown) == ([4], [])
    with pytest.raises(torch.OutOfMemoryError):
        # The other ranks are in the middle of the same exchange.
        PredictionsCallback(ask, **arguments, alone=False).on_step_end(
            Arguments, TrainerState(global_step=4, max_steps=10), TrainerControl(), model=None
        )


def test_who_is_asked_to_stop_does_not_ask():
    assert asked_at(4, stop_at=4) == [8, 10]

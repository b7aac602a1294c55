"""Whatever is spoilt between training and export is found by asking."""

from __future__ import annotations

import json

import pytest
import structlog
import torch
from safetensors.torch import load_file, save_file

from sam2vlm.errors import EXIT_DATA, EXIT_OK, DataError, InterruptedRunError, Sam2vlmError
from sam2vlm.export.fresh_process import _as_error, verify_in_fresh_process
from sam2vlm.export.verify import chosen_predictions, compare_texts, verify


def change_weights(path, change):
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


def test_what_was_trained_is_what_was_exported(exported, plan_for):
    found = verify(plan_for(exported))
    assert found["adapter_text_share"] == found["merged_text_share"] == 1.0
    # Three frames are asked for: a whole batch of four is taken, two questions each.
    assert (found["frames"], found["answers"], found["device"]) == (4, 8, "cpu")
    assert 0 < found["max_logits_difference"] < 1e-3


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_what_was_evaluated_on_cuda_is_verified_without_where_there_is_none(exported, plan_for):
    with structlog.testing.capture_logs() as events:
        assert verify(plan_for(exported, device="cuda"))["device"] == "cpu"
    assert [event for event in events if event["log_level"] == "warning"]


def test_another_answer_than_the_recorded_one_is_an_error(exported, plan_for, layout, tmp_path):
    path = layout.phase("evaluate") / "predictions" / "tuned.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[2]["answer"] += "!"
    (tmp_path / "tuned.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan = plan_for(exported, predictions=str(tmp_path / "tuned.jsonl"))
    with pytest.raises(DataError, match=r"adapter: video/002002#detect: .*answers 1 of 8 questions otherwise"):
        verify(plan)


def test_a_merged_model_that_was_not_merged_is_found_by_its_logits(copied, plan_for, base):
    path = copied / "merged" / "model.safetensors"
    save_file(
        {name: weight.float() for name, weight in load_file(base.source.folder / "model.safetensors").items()},
        path,
        metadata={"format": "pt"},
    )
    with pytest.raises(DataError, match="merged"):
        verify(plan_for(copied))
    with pytest.raises(DataError, match="logits differ from the adapter's"):
        verify(plan_for(copied, merged_text_share=0.0))


def test_logits_that_are_no_numbers_are_no_equality(copied, plan_for):
    change_weights(
        copied / "merged" / "model.safetensors",
        lambda weights: (
            weights["language_model.lm_head.weight"].fill_(float("nan"))
            if "language_model.lm_head.weight" in weights
            else weights["lm_head.weight"].fill_(float("nan"))
        ),
    )
    with pytest.raises(DataError, match="logits differ"):
        verify(plan_for(copied, merged_text_share=0.0))


def test_a_weight_that_is_missing_in_the_merged_model_is_an_error(copied, plan_for):
    change_weights(copied / "merged" / "model.safetensors", lambda weights: weights.pop(min(weights)))
    with pytest.raises(DataError, match="missing_keys"):
        verify(plan_for(copied))


def test_another_chat_template_is_another_question(copied, plan_for):
    path = copied / "merged" / "chat_template.jinja"
    path.write_text(path.read_text().replace("ASSISTANT:", "MODEL:"))
    # How much that changes an answer depends on the model; that other tokens were asked does not.
    with pytest.raises(DataError, match=r"logits differ.*found inf"):
        verify(plan_for(copied, merged_text_share=0.0))


def test_whole_batches_are_repeated(layout):
    path = layout.phase("evaluate") / "predictions" / "tuned.jsonl"
    for samples, count in ((1, 4), (4, 4), (5, 6), (100, 6)):
        by_task = chosen_predictions(path, samples=samples, batch_size=4)
        assert [[row["task"] for row in rows] for rows in by_task] == [["detect"] * count, ["count"] * count]


def test_the_share_that_may_differ_is_a_limit():
    expected = {"a": "1", "b": "2", "c": "3", "d": "4"}
    assert compare_texts("merged", expected, expected | {"d": "5"}, least=0.75) == 0.75
    with pytest.raises(DataError, match=r"merged: c: .*2 of 4 .*\(expected 3; found 9\)"):
        compare_texts("merged", expected, expected | {"d": "5", "c": "9"}, least=0.75)


@pytest.mark.integration
def test_a_fresh_process_tells_its_error_in_one_sentence(copied, plan_for, capfd):
    (copied / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(DataError, match=r"adapter_model\.safetensors: is missing \(expected an adapter"):
        verify_in_fresh_process(plan_for(copied, samples=1))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("code", "sentence", "kind", "told"),
    [
        (EXIT_DATA, "it differs", DataError, "it differs"),
        (75, "stopped", InterruptedRunError, "stopped"),
        (-9, "", InterruptedRunError, "out of memory"),
        (1, "", Sam2vlmError, "exit code 1: ValueError: last"),
        (EXIT_OK + 3, "", Sam2vlmError, "exit code 3: ValueError: last"),
    ],
)
def test_how_a_process_ended_becomes_the_error_that_fits(code, sentence, kind, told):
    error = _as_error(code, sentence, "Traceback\n\nValueError: last\n")
    assert type(error) is kind
    assert told in str(error)

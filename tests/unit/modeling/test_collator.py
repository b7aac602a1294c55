from __future__ import annotations

import pytest
import torch

from sam2vlm.data_converter.instructions import LlavaBoxes
from sam2vlm.modeling.collator import IGNORED, Collator, can_keep_logits
from sam2vlm.modeling.lora import add_lora
from sam2vlm.modeling.samples import Samples, select_samples
from tests.training_runs import split


@pytest.fixture(scope="module")
def items(encoder, processor):
    rows = split(4, tasks=("detect", "count", "describe"))
    kept, _ = select_samples(rows, encoder, boxes=LlavaBoxes(), max_length=512, max_dropped_share=0)
    samples = Samples(rows, kept, processor=processor, cache_mb=16)
    return [samples[number] for number in range(len(samples))]


def test_only_the_answers_and_their_ends_are_learnt(items, processor):
    batch = Collator(pad_token_id=0)(items)
    for row, item in enumerate(items):
        learnt = batch["labels"][row] != IGNORED
        assert torch.equal(batch["labels"][row][learnt], batch["input_ids"][row][learnt])
        assert processor.tokenizer.decode(batch["labels"][row][learnt]) == f" {item['encoded'].target.answer}</s>"


def test_no_image_token_is_learnt_and_none_is_lost(items, processor):
    batch = Collator(pad_token_id=0)(items)
    pictures = batch["input_ids"] == processor.image_token_id
    assert pictures.sum(dim=1).tolist() == [64] * len(items)
    assert (batch["labels"][pictures] == IGNORED).all()


def test_padding_is_masked_everywhere(items):
    batch = Collator(pad_token_id=0)(items)
    lengths = [item["encoded"].length for item in items]
    assert batch["attention_mask"].sum(dim=1).tolist() == lengths
    assert batch["input_ids"].shape[1] == -(-max(lengths) // 8) * 8
    padding = batch["attention_mask"] == 0
    assert padding.any()
    assert (batch["labels"][padding] == IGNORED).all()
    assert (batch["input_ids"][padding] == 0).all()


def test_pictures_stand_in_the_order_of_the_samples(items):
    batch = Collator(pad_token_id=0)(items)
    assert batch["pixel_values"].shape == (len(items), 3, 128, 128)
    for row, item in enumerate(items):
        assert torch.equal(batch["pixel_values"][row], item["picture"]["pixel_values"][0])
    assert batch["sample_numbers"].tolist() == [item["number"] for item in items]


def test_the_loss_of_the_answers_alone_is_the_loss_of_everything(items, tiny_model):
    def loss(**options):
        batch = Collator(pad_token_id=0, **options)(items)
        del batch["sample_numbers"]
        with torch.no_grad():
            return tiny_model(**batch)

    whole, window = loss(), loss(answers_only=True)
    assert window.logits.shape[1] < whole.logits.shape[1] / 2
    torch.testing.assert_close(window.loss, whole.loss, rtol=1e-6, atol=1e-6)


def test_padded_neighbours_do_not_change_a_sample(items, tiny_model):
    def logits(chosen, row):
        batch = Collator(pad_token_id=0)(chosen)
        del batch["sample_numbers"]
        with torch.no_grad():
            return tiny_model(**batch).logits[row, : chosen[row]["encoded"].length]

    torch.testing.assert_close(logits(items, 1), logits(items[1:2], 0), rtol=1e-4, atol=1e-4)


def test_the_model_is_asked_whether_it_can_leave_logits_out(tiny_model):
    target = r"model\.language_model\..*\.q_proj"
    model = add_lora(tiny_model, target=target, rank=2, alpha=4, dropout=0, base_model="tiny-llava")
    assert can_keep_logits(model)


def test_a_model_with_another_forward_pass_in_it_is_asked_for_all(tiny_model):
    target = r"model\.language_model\..*\.q_proj"
    model = add_lora(tiny_model, target=target, rank=2, alpha=4, dropout=0, base_model="tiny-llava")
    base = model.get_base_model()
    base.forward = base.forward
    assert not can_keep_logits(model)

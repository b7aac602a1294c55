"""Packed rows against the same samples in rows of their own, for each family that may be packed, in fp32.

The reference is what the family suite has shown of batches: every sample a row of its own, padded and masked.
"""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from transformers import LlamaConfig
from transformers.masking_utils import create_causal_mask
from transformers.modeling_flash_attention_utils import _is_packed_sequence, prepare_fa_kwargs_from_position_ids

from sam2vlm.config.packing import PACKED_FAMILIES
from sam2vlm.modeling.collator import IGNORED, Collator
from sam2vlm.modeling.encoding import Encoder
from sam2vlm.modeling.packing import PackedRows, PackingCollator, picture_positions_of
from sam2vlm.modeling.pictures import picture_tensors
from sam2vlm.modeling.prefixed_questions import give_template
from sam2vlm.modeling.targets import Target
from tests.families import FAMILIES

SIZES = ((96, 64), (200, 60), (33, 150), (112, 112))
ANSWERS = ("none", "There are 2 objects: 1 crab and 1 fish.", "crab [0.10, 0.20, 0.30, 0.99]", "3")
ROWS = ((0, 1, 2), (3,))
# Sums in another order; the tiny models' logits reach 10.
CLOSE = {"rtol": 1e-4, "atol": 2e-5}
PACKED = [family for family in FAMILIES if family.name in PACKED_FAMILIES]
REFUSED = [family for family in FAMILIES if family.name not in PACKED_FAMILIES]
LLAVA = FAMILIES[0]


@pytest.fixture(scope="module", params=PACKED, ids=lambda family: family.name)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def processor(family):
    return family.processor()


@pytest.fixture(scope="module")
def model(family, processor):
    return family.model(processor).eval()


@pytest.fixture(scope="module")
def samples(processor):
    return samples_of(processor)


def samples_of(processor):
    encoder = Encoder(processor)
    made = []
    for number, (size, answer) in enumerate(zip(SIZES, ANSWERS, strict=True)):
        shade = Image.linear_gradient("L").resize(size).rotate(90 * number)
        asked = Target(number, f"s{number}", "detect", "Locate every object."[number:], answer, *size)
        picture = picture_tensors(processor, Image.merge("RGB", (shade, shade, shade)))
        made.append({"number": number, "encoded": encoder.encode(asked), "picture": picture})
    return made


@pytest.fixture(scope="module")
def collators(processor, model):
    return collators_of(processor, model)


def collators_of(processor, model):
    pad = processor.tokenizer.pad_token_id

    def packing(**options):
        return PackingCollator(pad_token_id=pad, picture_positions=picture_positions_of(model), **options)

    return Collator(pad_token_id=pad), packing


def rows_of(samples, rows=ROWS):
    return [[samples[number] for number in row] for row in rows]


def run(model, batch):
    """The loss a token, and the gradients of all weights."""
    model.zero_grad()
    numbers = batch.pop("sample_numbers")
    out = model(**batch)
    out.loss.backward()
    return numbers, out, {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("options", [{"answers_only": True}, {"one_row": True}], ids=["rows", "one row"])
def test_loss_and_gradients_are_those_of_rows_of_one_sample(model, samples, collators, options):
    padded, packing = collators
    _, reference, expected = run(model, padded(samples))
    numbers, packed, found = run(model, packing(**options)(rows_of(samples)))
    assert numbers.tolist() == list(range(len(samples)))
    torch.testing.assert_close(packed.loss, reference.loss, rtol=1e-5, atol=0)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, **CLOSE, msg=lambda text, name=name: f"{name}: {text}")


def test_every_token_has_the_logits_that_its_sample_has_alone(model, samples, collators):
    for attention in ("sdpa", "eager"):
        model.set_attn_implementation(attention)
        for packed, alone in logits_of(model, samples, collators):
            torch.testing.assert_close(packed, alone, rtol=1e-4, atol=1e-4)


def logits_of(model, samples, collators):
    """Of each sample its tokens' logits: in its row, and alone."""
    padded, packing = collators
    batch = packing()(rows_of(samples))
    del batch["sample_numbers"]
    with torch.inference_mode():
        packed = model(**batch).logits
        for line, row in enumerate(ROWS):
            begin = 0
            for number in row:
                alone = padded([samples[number]])
                del alone["sample_numbers"]
                length = samples[number]["encoded"].length
                yield packed[line, begin : begin + length], model(**alone).logits[0, :length]
                begin += length


@pytest.mark.parametrize("family", REFUSED, ids=lambda family: family.name)
def test_a_family_that_is_refused_is_not_exact(family):
    processor = family.processor()
    give_template(processor)
    model = family.model(processor).eval()
    found = list(logits_of(model, samples_of(processor), collators_of(processor, model)))
    assert max((packed - alone).abs().max() for packed, alone in found) > 0.1


@pytest.fixture(scope="module")
def llava():
    return samples_of(LLAVA.processor())


def owners(rows, llava, length):
    """Which sample each column of each row belongs to; what fills a row up is one of its own."""
    lines = [[number for number in row for _ in llava[number]["encoded"].tokens] for row in rows]
    return [line + [-1] * (length - len(line)) for line in lines]


def test_the_mask_lets_a_token_see_its_own_sample_up_to_itself_and_nothing_else(llava):
    batch = PackingCollator(pad_token_id=3)(rows_of(llava))
    rows, length = batch["input_ids"].shape
    config = LlamaConfig(attn_implementation="sdpa")
    found = create_causal_mask(config, torch.zeros(rows, length, 1), None, None, position_ids=batch["position_ids"])
    expected = [
        [[own == other and seen <= place for seen, other in enumerate(line)] for place, own in enumerate(line)]
        for line in owners(ROWS, llava, length)
    ]
    assert found.dtype == torch.bool
    assert found[:, 0].tolist() == expected
    assert not all(owner != -1 for line in owners(ROWS, llava, length) for owner in line)


def test_flash_attention_is_told_the_lengths_of_the_samples(llava):
    batch = PackingCollator(pad_token_id=3, one_row=True)(rows_of(llava))
    assert batch["input_ids"].shape[0] == 1
    lengths = [sample["encoded"].length for sample in llava]
    rest = batch["input_ids"].shape[1] - sum(lengths)
    ends = torch.tensor([*lengths, rest] if rest else lengths).cumsum(0).tolist()
    assert _is_packed_sequence(batch["position_ids"], 1)
    (of_queries, of_keys), (longest, _) = prepare_fa_kwargs_from_position_ids(batch["position_ids"])
    assert of_queries.tolist() == of_keys.tolist() == [0, *ends]
    assert longest == max(lengths)


def test_samples_stand_whole_in_the_order_that_is_asked_for_and_only_answers_are_learnt(llava):
    rows = PackedRows(llava)
    assert len(rows) == 4
    batch = PackingCollator(pad_token_id=3)([rows[(3, 0)], rows[(1, 2)]])
    assert batch["sample_numbers"].tolist() == [3, 0, 1, 2]
    for line, row in enumerate([(3, 0), (1, 2)]):
        tokens, predicted = batch["input_ids"][line].tolist(), batch["shift_labels"][line].tolist()
        begin = 0
        for number in row:
            encoded = llava[number]["encoded"]
            end = begin + encoded.length
            assert tokens[begin:end] == list(encoded.tokens)
            assert batch["position_ids"][line, begin:end].tolist() == list(range(encoded.length))
            silent, learnt = (
                predicted[begin : end - encoded.supervised - 1],
                predicted[end - encoded.supervised - 1 : end - 1],
            )
            assert set(silent) == {IGNORED}
            assert learnt == list(encoded.tokens[-encoded.supervised :])
            assert predicted[end - 1] == IGNORED
            begin = end
        assert set(tokens[begin:]) <= {3}
    pictures = [llava[number]["picture"]["pixel_values"] for number in (3, 0, 1, 2)]
    assert torch.equal(batch["pixel_values"], torch.cat(pictures))


def test_only_columns_that_predict_an_answer_have_logits(llava):
    batch = PackingCollator(pad_token_id=3, answers_only=True)(rows_of(llava))
    whole = PackingCollator(pad_token_id=3)(rows_of(llava))["shift_labels"]
    asked = (whole != IGNORED).any(0)
    assert batch["logits_to_keep"].tolist() == asked.nonzero()[:, 0].tolist()
    assert torch.equal(batch["shift_labels"], whole[:, asked])
    # As many labels as answers have tokens, which is what the trainer divides a step's loss by.
    assert (batch["shift_labels"] != IGNORED).sum() == sum(sample["encoded"].supervised for sample in llava)

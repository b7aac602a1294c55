"""The family suite: what a family's tiny model of its real class has to show before the registry may offer it.

What is expected comes from elsewhere: token sequences from the family's own processor, counts of image tokens by its
published rule, adapters by PEFT's own merge.
"""

from __future__ import annotations

import itertools

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from sam2vlm.config import ModelRegistry
from sam2vlm.data_converter.instructions import SeenObject
from sam2vlm.modeling.adapter import load_adapter
from sam2vlm.modeling.boxes import boxes_of
from sam2vlm.modeling.collator import IGNORED, Collator, can_keep_logits
from sam2vlm.modeling.encoding import Encoder
from sam2vlm.modeling.generation import Question, ask, encode_questions
from sam2vlm.modeling.loading import load_model, load_processor
from sam2vlm.modeling.lora import add_lora
from sam2vlm.modeling.pictures import picture_tensors
from sam2vlm.modeling.source import find_model
from sam2vlm.modeling.targets import Target
from sam2vlm.trainers.lora_trainer import save_adapter
from tests.families import FAMILIES

SIZES = ((96, 64), (64, 96), (200, 60), (33, 150), (112, 112))
RANK, STEPS = 4, 12


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.name)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def source(family, tmp_path_factory):
    folder = tmp_path_factory.mktemp(family.name) / "model"
    family.save(folder)
    return find_model(family.name, checkpoint=str(folder))


@pytest.fixture(scope="module")
def processor(source):
    return load_processor(source.folder, name=source.name)


@pytest.fixture(scope="module")
def entry(family):
    entries = [ModelRegistry.get(name) for name in ModelRegistry.names()]
    return next(entry for entry in entries if entry.type == family.name and not entry.packaged)


@pytest.fixture(scope="module")
def boxes(entry, processor):
    return boxes_of(entry, processor)


def loaded(source, family):
    model = load_model(source, class_name=family.class_name, dtype=torch.float32)
    model.eval()
    return model


def picture(width, height):
    shade = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", (shade, shade.transpose(Image.Transpose.ROTATE_180), shade))


def target(boxes, number=0, width=96, height=64):
    seen = [SeenObject("crab", (8.0 + 4 * number, 10.0, 20.0, 30.0)), SeenObject("fish", (40.0, 20.0, 30.0, 12.0))]
    return Target(
        number,
        f"s{number}",
        "detect",
        "Locate every object in the picture.",
        boxes.format_objects(seen, width, height),
        width,
        height,
    )


def samples_of(processor, boxes, sizes):
    encoder = Encoder(processor)
    return [
        {
            "number": number,
            "encoded": encoder.encode(target(boxes, number, *size)),
            "picture": picture_tensors(processor, picture(*size)),
        }
        for number, size in enumerate(sizes)
    ]


@pytest.fixture(scope="module")
def trained(family, source, processor, entry, boxes, tmp_path_factory):  # noqa: PLR0917  a fixture's fixtures
    """An adapter of a few steps on two samples of different sizes, its losses, and where it was saved."""
    torch.manual_seed(0)
    base = loaded(source, family)
    model = add_lora(base, target=entry.lora_target, rank=RANK, alpha=16, dropout=0.0, base_model=family.name)
    batch = Collator(pad_token_id=processor.tokenizer.pad_token_id, answers_only=can_keep_logits(model))(
        samples_of(processor, boxes, SIZES[:2])
    )
    batch.pop("sample_numbers")
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=2e-2)
    losses = []
    model.train()
    for _ in range(STEPS):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.eval()
    folder = tmp_path_factory.mktemp("adapter")
    save_adapter(model, folder)
    processor.save_pretrained(str(folder))
    return model, losses, folder


def test_the_entry_is_of_the_class_that_the_suite_runs(family, entry, source):
    assert entry.trainable
    assert entry.class_name == family.class_name
    assert type(loaded(source, family)).__name__ == family.class_name


@pytest.mark.parametrize("answer", ["none", "3", "There are 2 objects: 1 crab and 1 fish.", None])
def test_what_is_learnt_is_exactly_the_answer_and_its_end(family, processor, boxes, answer):
    item = target(boxes)
    said = item.answer if answer is None else answer
    encoded = Encoder(processor).encode(Target(0, "s", "detect", item.prompt, said, 96, 64))
    learnt = processor.tokenizer.decode(encoded.tokens[-encoded.supervised :], skip_special_tokens=False)
    assert learnt.lstrip() == f"{said}{family.end}"
    assert len(learnt) - len(learnt.lstrip()) <= 1


@pytest.mark.parametrize("size", SIZES)
def test_no_image_token_is_lost_and_all_tokens_are_the_processors_own(family, processor, boxes, size):
    encoder = Encoder(processor)
    item = target(boxes, 0, *size)
    encoded = encoder.encode(item)
    text = encoder.prompt_text(item.prompt)
    question = Question(item.prompt, lambda: picture(*size))
    asked = encode_questions(processor, [question], _Placed())
    prompt = asked["input_ids"][0].tolist()
    assert list(encoded.tokens[: len(prompt)]) == prompt, text
    assert len(prompt) + encoded.supervised == encoded.length
    assert family.picture_tokens(*size) == encoded.tokens.count(
        processor.tokenizer.convert_tokens_to_ids(family.picture_token)
    )
    for name, kinds in encoded.types.items():
        assert list(kinds[: len(prompt)]) == asked[name][0].tolist()


class _Placed:
    """Where a batch is put."""

    device, dtype = torch.device("cpu"), torch.float32


def test_a_batch_is_what_the_processor_makes_of_it_in_one_call(processor, boxes):
    samples = samples_of(processor, boxes, SIZES)
    batch = Collator(pad_token_id=processor.tokenizer.pad_token_id, multiple=1)(samples)
    encoder = Encoder(processor)
    texts = [encoder.prompt_text(target(boxes, number, *size).prompt) for number, size in enumerate(SIZES)]
    begin = processor.tokenizer.bos_token
    own = processor(
        images=[[picture(*size)] for size in SIZES],
        text=texts,
        padding=True,
        padding_side="right",
        add_special_tokens=not (begin is not None and texts[0].startswith(begin)),
        return_tensors="pt",
    )
    # PaliGemma's processor gives labels too, of a question without its answer.
    for name in set(own) - {"input_ids", "attention_mask", "labels", *samples[0]["encoded"].types}:
        torch.testing.assert_close(batch[name], own[name])
    assert set(own) <= set(batch)
    learnt = batch["labels"] != IGNORED
    assert learnt.sum(1).tolist() == [sample["encoded"].supervised for sample in samples]


def test_the_loss_falls(trained):
    _model, losses, _folder = trained
    assert losses[-1] < 0.8 * losses[0]


def test_the_adapter_lies_in_the_language_model_alone(trained, entry, source, family):
    _model, _losses, folder = trained
    names = load_file(folder / "adapter_model.safetensors").keys()
    text = loaded(source, family).config.get_text_config()
    assert len(names) == text.num_hidden_layers * 7 * 2
    own = "text_model" if family.name == "smolvlm" else "language_model"
    assert all(own in name.split(".") for name in names)


def test_the_saved_adapter_answers_as_the_trained_model_does(trained, source, family, processor):
    model, _losses, folder = trained
    base = loaded(source, family)
    questions = [Question("Locate every object.", lambda size=size: picture(*size)) for size in SIZES[:2]]

    def said(asked, words):
        answers = list(ask(asked, words, questions, batch_size=2, max_new_tokens=24))
        with torch.inference_mode():
            return answers, asked(**encode_questions(words, questions, asked)).logits

    _, untrained = said(base, processor)
    again, fresh = load_adapter(base, folder), load_processor(folder, name=family.name)
    (expected, logits), (found, reloaded) = said(model, processor), said(again, fresh)
    assert found == expected
    torch.testing.assert_close(reloaded, logits, rtol=0, atol=0)
    assert (logits - untrained).abs().max() > 1


def test_the_merged_model_is_the_adapted_one(trained, source, family, processor, boxes):
    _model, _losses, folder = trained
    adapted = load_adapter(loaded(source, family), folder)
    batch = Collator(pad_token_id=processor.tokenizer.pad_token_id)(samples_of(processor, boxes, SIZES[:2]))
    batch.pop("sample_numbers")
    with torch.inference_mode():
        base = loaded(source, family)(**batch).logits
        expected = adapted(**batch).logits
        found = adapted.merge_and_unload(safe_merge=True)(**batch).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (base - expected).abs().max() > 1e-2


def test_the_picture_is_seen(source, family, processor, boxes):
    """A model that got no picture, or another's, would not tell two pictures apart."""
    model = loaded(source, family)
    sample = samples_of(processor, boxes, SIZES[:1])[0]
    black = picture_tensors(processor, Image.new("RGB", SIZES[0]))
    logits = []
    for shown in (sample["picture"], black):
        batch = Collator(pad_token_id=processor.tokenizer.pad_token_id)([{**sample, "picture": shown}])
        batch.pop("sample_numbers")
        with torch.inference_mode():
            logits.append(model(**batch).logits)
    assert (logits[0] - logits[1]).abs().max() > 1e-4


def test_a_batch_gives_each_sample_the_loss_that_it_has_alone(source, family, processor, boxes):
    """Padding, joined pictures and the tokens' types do not let samples see each other."""
    model = loaded(source, family)
    samples = samples_of(processor, boxes, SIZES[:3])
    collate = Collator(pad_token_id=processor.tokenizer.pad_token_id)

    def loss(chosen):
        batch = collate(chosen)
        batch.pop("sample_numbers")
        with torch.inference_mode():
            return model(**batch).loss.item() * sum(sample["encoded"].supervised for sample in chosen)

    assert loss(samples) == pytest.approx(sum(loss([sample]) for sample in samples), rel=1e-4)


def test_boxes_are_read_back_where_they_are(boxes):
    for (width, height), number in itertools.product(SIZES[:2], (0, 1)):
        found = boxes.parse_objects(target(boxes, number, width, height).answer, width, height)
        assert not found.problems
        across, down = boxes.resolution(width, height)
        x, y, _w, _h = found.objects[0].bbox
        assert abs(x - (8 + 4 * number)) <= across + 1e-9
        assert abs(y - 10) <= down + 1e-9


def test_equal_calls_write_equal_models(family, tmp_path):
    kept = []
    for name in ("a", "b"):
        family.save(tmp_path / name)
        kept.append({path.name: path.read_bytes() for path in sorted((tmp_path / name).iterdir()) if path.is_file()})
    assert kept[0] == kept[1]

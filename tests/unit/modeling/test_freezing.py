"""Which weights learn: in every family exactly those of the chosen parts that the loss reaches, and all are saved."""

from __future__ import annotations

import pytest
import torch
import transformers
from PIL import Image

from sam2vlm.modeling.freezing import PARTS, learn_parts, part_of_weights
from sam2vlm.modeling.generation import Question, answers_by_default, encode_questions
from sam2vlm.modeling.loading import load_model
from sam2vlm.modeling.prefixed_questions import give_template
from sam2vlm.modeling.source import ModelSource
from sam2vlm.trainers.full_trainer import MODEL, save_model
from tests.families import FAMILIES

#: What belongs where, by words in a weight's name, from the families' classes.
WORDS = {
    "projector": ("multi_modal_projector", "merger", "image_newline", "connector"),
    "vision_tower": ("vision_tower", "visual", "vision_model"),
    "language_model": ("language_model", "lm_head", "text_model"),
}


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.name)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def processor(family):
    made = family.processor()
    give_template(made)
    return made


@pytest.fixture
def model(family, processor):
    torch.manual_seed(0)
    return getattr(transformers, family.class_name)(family.configuration(processor))


def test_every_weight_belongs_to_the_part_that_its_name_says(model):
    found = part_of_weights(model)
    assert set(found.values()) == set(PARTS)
    for name, part in found.items():
        assert part == next(part for part, words in WORDS.items() if any(word in name for word in words)), name


def test_a_gradient_reaches_exactly_what_learns(model, processor):
    learn_parts(model, PARTS)
    question = Question("Locate every object.", lambda: Image.radial_gradient("L").convert("RGB").resize((200, 120)))
    batch = encode_questions(processor, [question], model)
    model.train()(**batch, labels=batch["input_ids"]).loss.backward()
    learns = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert learns == {name for name, weight in model.named_parameters() if weight.grad is not None}
    # And of what does not learn, none would: with everything unfrozen the loss reaches no more.
    for weight in model.parameters():
        weight.requires_grad_(True).grad = None
    model(**batch, labels=batch["input_ids"]).loss.backward()
    assert learns == {name for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("part", PARTS)
def test_only_the_chosen_part_learns(model, part):
    learn_parts(model, [part])
    of_weights = part_of_weights(model)
    learns = {of_weights[name] for name, weight in model.named_parameters() if weight.requires_grad}
    assert learns == {part}


def test_a_saved_model_loads_whole_and_answers_by_default(family, model, processor, tmp_path):
    learn_parts(model, ["projector"])
    model.config.use_cache = False
    # As LLaVA's first checkpoints have it.
    model.generation_config.update(do_sample=False, temperature=0.9, top_p=0.6)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with answers_by_default(model, processor):
        save_model(model, model.state_dict(), tmp_path)
    assert model.config.use_cache is False
    source = ModelSource(family.name, tmp_path / MODEL, digest="")
    found = load_model(source, class_name=family.class_name, dtype=torch.float32)
    assert found.state_dict().keys() == before.keys()
    assert [name for name, value in found.state_dict().items() if not torch.equal(value, before[name])] == []
    assert (found.generation_config.temperature, found.generation_config.top_p) == (None, None)
    assert processor.tokenizer.convert_tokens_to_ids(family.end) in found.generation_config.eos_token_id

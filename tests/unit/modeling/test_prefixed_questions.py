"""PaliGemma beside the family suite: its processor's own samples for training, and who sees whom."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from sam2vlm.errors import SettingsError
from sam2vlm.modeling.attention import attention_of
from sam2vlm.modeling.collator import IGNORED, Collator
from sam2vlm.modeling.encoding import Encoder
from sam2vlm.modeling.generation import Question, ask
from sam2vlm.modeling.loading import load_model, load_processor, read_config
from sam2vlm.modeling.pictures import picture_tensors
from sam2vlm.modeling.source import find_model
from sam2vlm.modeling.targets import Target
from tests.families.paligemma import PALIGEMMA, PICTURE_TOKENS

PROMPT, ANSWER = "Locate every object.", "<loc0100><loc0200><loc0300><loc0400> fish ; <loc0001><loc0002> crab"
PICTURE = Image.linear_gradient("L").resize((96, 64)).convert("RGB")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paligemma") / "model"
    PALIGEMMA.save(folder)
    return find_model("paligemma", checkpoint=str(folder))


@pytest.fixture(scope="module")
def processor(source):
    return load_processor(source.folder, name="paligemma")


@pytest.fixture(scope="module")
def model(source):
    loaded = load_model(source, class_name=PALIGEMMA.class_name, dtype=torch.float32)
    return loaded.eval()


@pytest.fixture(scope="module")
def batch(processor):
    encoded = Encoder(processor).encode(Target(0, "s", "detect", PROMPT, ANSWER, *PICTURE.size))
    sample = {"number": 0, "encoded": encoded, "picture": picture_tensors(processor, PICTURE)}
    made = Collator(pad_token_id=processor.tokenizer.pad_token_id, multiple=1)([sample])
    made.pop("sample_numbers")
    return made


def test_a_sample_is_what_the_processor_makes_of_question_and_suffix(processor, batch):
    own = processor(images=[PICTURE], text=[f"<image>{PROMPT}"], suffix=[ANSWER], return_tensors="pt")
    assert set(batch) == set(own)
    for name, expected in own.items():
        torch.testing.assert_close(batch[name], expected, rtol=0, atol=0)


def test_the_question_is_read_in_both_directions_and_the_answer_in_one(model, batch):
    asked = int((batch["labels"] == IGNORED).sum())

    def reached(place):
        changed = {**batch, "input_ids": batch["input_ids"].clone()}
        changed["input_ids"][0, place] = 7
        with torch.inference_mode():
            difference = (model(**changed).logits - model(**batch).logits)[0].abs().amax(-1)
        return (difference > 1e-6).nonzero().flatten().tolist()

    length = batch["input_ids"].shape[1]
    assert reached(asked + 3) == list(range(asked + 3, length))
    # The question's first word reaches the picture before it too.
    assert reached(PICTURE_TOKENS + 1) == list(range(length))


def test_an_answer_is_read_while_it_is_given_as_while_it_is_learnt(model, processor):
    (said,) = ask(model, processor, [Question(PROMPT, lambda: PICTURE)], batch_size=1, max_new_tokens=6)
    given = processor(images=[PICTURE], text=[f"<image>{PROMPT}"], return_tensors="pt")
    del given["labels"]
    for _ in range(6):
        with torch.inference_mode():
            token = model(**given).logits[:, -1:].argmax(-1)
        given["input_ids"] = torch.cat([given["input_ids"], token], dim=1)
        for name in ("attention_mask", "token_type_ids"):
            given[name] = torch.cat([given[name], torch.ones_like(token)], dim=1)
    assert said.text == processor.tokenizer.decode(given["input_ids"][0, -6:]).strip()


def test_attention_is_computed_as_the_models_classes_can(source):
    config = read_config(source.folder, name="paligemma", class_name=PALIGEMMA.class_name)
    # Gemma 2 caps its scores, and torch's fused kernel does not.
    assert attention_of(config, asked="sdpa") == {"": "sdpa", "text_config": "eager", "vision_config": "sdpa"}
    with pytest.raises(SettingsError, match="leave out which tokens of this family see later ones; choose sdpa"):
        attention_of(config, asked="flash_attention_2")

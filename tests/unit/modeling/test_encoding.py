from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sam2vlm.errors import DataError, SettingsError
from sam2vlm.modeling.encoding import Encoder
from sam2vlm.modeling.targets import Target

LLAVA_1_5 = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def target(answer, prompt="Describe the picture.", width=96, height=64):
    return Target(0, "video/000000#describe", "describe", prompt, answer, width, height)


def supervised(encoder, encoded):
    return encoder._tokenizer.decode(encoded.tokens[-encoded.supervised :])


ANSWERS = ["crab [0.10, 0.20, 0.30, 0.99]; fish [0.00, 0.00, 0.05, 0.07]", "none", "3", "There is 1 object: 1 Krähe."]


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_learnt_decodes_to_exactly_the_answer_and_its_end(encoder, answer):
    assert supervised(encoder, encoder.encode(target(answer))) == f" {answer}</s>"


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1).filter(lambda text: text.strip() == text and "<" not in text))
def test_any_text_is_learnt_whole(encoder, answer):
    assert supervised(encoder, encoder.encode(target(answer))) == f" {answer}</s>"


def test_the_tokens_are_those_of_the_processor_itself(encoder, processor):
    item = target("1 fish", width=70, height=90)
    expected = processor(images=[Image.new("RGB", (70, 90))], text=[encoder.prompt_text(item.prompt) + " 1 fish</s>"])[
        "input_ids"
    ][0]
    assert list(encoder.encode(item).tokens) == list(expected)


def test_no_image_token_is_lost(encoder, processor):
    for width, height in ((96, 64), (64, 96), (854, 480), (1, 1)):
        tokens = encoder.encode(target("none", width=width, height=height)).tokens
        assert tokens.count(processor.image_token_id) == 64


def test_the_question_comes_first_and_is_what_generation_starts_from(encoder, processor):
    item = target("none")
    encoded = encoder.encode(item)
    asked = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": item.prompt}]}],
        add_generation_prompt=True,
        tokenize=False,
    )
    blank = Image.new("RGB", (item.width, item.height))
    question = processor(images=[blank], text=[asked])["input_ids"][0]
    assert list(encoded.tokens[: len(question)]) == list(question)
    assert encoded.length == len(question) + encoded.supervised


def with_template(processor, template):
    other = copy.copy(processor)
    other.chat_template = template
    return Encoder(other)


def test_an_end_token_is_added_where_the_template_of_llava_1_5_has_none(processor):
    other = with_template(processor, LLAVA_1_5)
    assert supervised(other, other.encode(target("1 fish"))) == " 1 fish</s>"


def test_a_template_without_the_picture_is_refused(processor):
    other = with_template(processor, LLAVA_1_5.replace("<image>", "picture"))
    with pytest.raises(SettingsError, match="does not place the picture once"):
        other.encode(target("none"))


def test_a_template_that_changes_the_question_afterwards_is_refused(processor):
    other = with_template(processor, "{{ messages | length }} <image>" + LLAVA_1_5.replace("<image>", ""))
    with pytest.raises(SettingsError, match="does not follow the question"):
        other.encode(target("none"))


@pytest.mark.parametrize("field", ["prompt", "answer"])
def test_text_that_pretends_to_be_a_picture_is_refused(encoder, field):
    with pytest.raises(DataError, match=rf"{field}: contains the token that stands for the picture"):
        encoder.encode(target(**{"answer": "none", field: "a <image> of"}))

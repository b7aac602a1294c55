"""Greedy answers in batches."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from transformers import GenerationConfig

from sam2vlm.modeling.generation import Answer, Question, ask, encode_questions
from sam2vlm.modeling.targets import Target

PROMPTS = ("Count the objects in the picture.", "How many?", "Detect every object. Answer with its label and box.")


@pytest.fixture
def model(tiny_model):
    torch.set_num_threads(1)
    # Random last weights, so that different questions get different answers however well the model was trained.
    torch.manual_seed(0)
    torch.nn.init.normal_(tiny_model.lm_head.weight)
    return tiny_model.eval()


@pytest.fixture
def questions():
    sizes = [(96, 64), (64, 96), (50, 50)]
    return [
        Question(prompt, lambda size=size: Image.new("RGB", size, (200, 30 * size[0] % 255, 4)))
        for prompt, size in zip(PROMPTS, sizes, strict=True)
    ]


def answers(model, processor, questions, *, batch_size=3, max_new_tokens=12):
    return list(ask(model, processor, questions, batch_size=batch_size, max_new_tokens=max_new_tokens))


def test_a_question_is_answered_alike_alone_and_beside_longer_ones(model, processor, questions):
    together = answers(model, processor, questions)
    assert together == answers(model, processor, questions, batch_size=1)
    assert len({answer.text for answer in together}) > 1


def test_it_is_padded_on_the_left(model, processor, questions):
    batch = encode_questions(processor, questions, model)
    assert batch["attention_mask"][:, -1].tolist() == [1, 1, 1]
    assert batch["attention_mask"][1, 0] == 0
    assert batch["input_ids"][1, 0] == processor.tokenizer.pad_token_id


def test_what_is_asked_is_what_was_trained_on(model, processor, encoder, questions):
    for question in questions:
        tokens = encode_questions(processor, [question], model)["input_ids"][0].tolist()
        picture = question.read_picture()
        target = Target(0, "v/000000#count", "count", question.prompt, "3", picture.width, picture.height)
        encoded = encoder.encode(target)
        assert tuple(tokens) == encoded.tokens[: -encoded.supervised]


def test_the_answer_ends_before_its_end_token(model, processor, questions):
    whole = answers(model, processor, questions[:1])[0]
    batch = encode_questions(processor, questions[:1], model)
    first = model(**batch).logits[0, -1].argmax().item()
    # The token that it says first becomes an end token of its own: then it says nothing, and has finished.
    model.generation_config.eos_token_id = [first]
    assert answers(model, processor, questions[:1]) == [Answer("", finished=True)]
    assert whole.text


def test_an_answer_that_is_cut_off_says_so(model, processor, questions):
    found = answers(model, processor, questions, max_new_tokens=1)
    assert [answer.finished for answer in found] == [False] * 3


def test_sampling_and_penalties_of_the_base_are_not_taken(model, processor, questions):
    plain = answers(model, processor, questions)
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=5.0, repetition_penalty=5.0, eos_token_id=processor.tokenizer.eos_token_id
    )
    assert answers(model, processor, questions) == plain

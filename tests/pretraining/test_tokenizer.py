import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretraining.answers import detect_answer, read_prompts
from pretraining.pictures import Object
from pretraining.shapes import LABELS
from pretraining.tokenizer import COORDINATES, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(0)


def test_the_checked_in_tokenizer_is_the_one_that_the_script_makes(tokenizer, processor):
    made = json.loads(tokenizer.backend_tokenizer.to_str())
    kept = json.loads(processor.tokenizer.backend_tokenizer.to_str())
    for key in ("model", "added_tokens", "pre_tokenizer", "decoder", "normalizer"):
        assert made[key] == kept[key], key


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_decoding_gives_back_any_text(processor, text):
    tokenizer = processor.tokenizer
    assert tokenizer.decode(tokenizer.encode(text)) == text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.sampled_from([*COORDINATES, ", ", " [", "]; ", " ", "0", "."]), st.text(max_size=3))))
def test_decoding_gives_back_texts_full_of_coordinates(processor, parts):
    tokenizer, text = processor.tokenizer, "".join(parts)
    assert tokenizer.decode(tokenizer.encode(text), skip_special_tokens=False) == text


def test_an_object_of_the_answer_is_ten_tokens(processor):
    objects = [Object("star", (0.0, 0.015, 0.5, 1.0)), Object("circle", (0.1, 0.2, 0.3, 0.4))]
    tokens = processor.tokenizer.tokenize(" " + detect_answer(objects))
    assert len(tokens) == 20
    assert tokens[:4] == ["Ġstar", "Ġ[", "0.00", ",Ġ"]
    assert tokens[8:11] == ["0.99", "];", "Ġcircle"]


@pytest.mark.parametrize("text", [*COORDINATES, *(f" {label}" for label in LABELS), ", ", " [", "];", "]", " 3"])
def test_the_pieces_of_an_answer_are_single_tokens(processor, text):
    assert len(processor.tokenizer.tokenize(text)) == 1


def test_the_prompts_are_short(processor):
    for wordings in read_prompts().values():
        assert all(len(processor.tokenizer.tokenize(wording)) <= 16 for wording in wordings)

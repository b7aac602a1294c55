import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ASKED = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Count the objects in the picture."}]}
ANSWERED = {"role": "assistant", "content": "3"}


def texts(tokenizer, messages, **options):
    return tokenizer.apply_chat_template(messages, tokenize=False, **options)


def test_the_form_is_that_of_llava_1_5(processor):
    assert (
        texts(processor.tokenizer, [ASKED, ANSWERED])
        == "USER: <image>\nCount the objects in the picture. ASSISTANT: 3</s>"
    )
    assert texts(processor.tokenizer, [ASKED], add_generation_prompt=True).endswith("picture. ASSISTANT:")


def test_a_string_and_its_parts_are_the_same(processor):
    parts = {"role": "assistant", "content": [{"type": "text", "text": "3"}]}
    string = {"role": "user", "content": "<image>\nCount the objects in the picture."}
    assert texts(processor.tokenizer, [string, parts]) == texts(processor.tokenizer, [ASKED, ANSWERED])


@settings(max_examples=150, deadline=None)
@given(answer=st.text(), prompt=st.text())
def test_the_prompt_is_a_prefix_of_the_whole_in_tokens(processor, answer, prompt):
    tokenizer = processor.tokenizer
    asked = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}
    before = tokenizer.encode(texts(tokenizer, [asked], add_generation_prompt=True))
    whole = tokenizer.encode(texts(tokenizer, [asked, {"role": "assistant", "content": answer}]))
    assert whole == [*before, *tokenizer.encode(f" {answer}</s>")]


@pytest.mark.parametrize("answer", ["3", "star [0.10, 0.20, 0.30, 0.40]", "红色 [0.10, 0.20, 0.30, 0.40]", ""])
def test_the_mask_covers_the_answers_and_their_ends_of_every_turn(processor, answer):
    tokenizer = processor.tokenizer
    again = {"role": "user", "content": "And now?"}
    messages = [ASKED, {"role": "assistant", "content": answer}, again, ANSWERED]
    encoded = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    marked = [token for token, mask in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(marked) == f" {answer}</s> 3</s>"


def test_a_following_turn_stands_behind_the_end(processor):
    messages = [ASKED, ANSWERED, {"role": "user", "content": "Sure?"}]
    text = texts(processor.tokenizer, messages, add_generation_prompt=True)
    assert text.endswith("ASSISTANT: 3</s>USER: Sure? ASSISTANT:")

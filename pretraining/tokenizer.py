"""The tokenizer: byte-level BPE over the task's texts, with a token for each two-digit coordinate.

Any UTF-8 text is expressible, since all 256 bytes are in the vocabulary, and decoding gives back the text exactly.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from pretraining.answers import ANSWERS, TASKS, read_prompts
from pretraining.pictures import MOST_OBJECTS, Object
from pretraining.shapes import LABELS
from pretraining.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE, PAD, BEGIN, END = "<image>", "<pad>", "<s>", "</s>"
COORDINATES = tuple(f"{hundredths / 100:.2f}" for hundredths in range(100))
#: Longest text in tokens that the model is meant for; its positions are rotary, so nothing is allocated for it.
MAX_LENGTH = 1024

_MERGED_VOCABULARY = 1200
# What stands between two coordinates, ", " with nothing behind it, is one piece; then as in GPT-2: a word with the
# space before it, a number, a run of marks (" [", "];"), spaces. Digits stand alone, so that counts are one token.
_PIECES = r", (?!\S)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# LLaVA-1.5's form. The space after "ASSISTANT:" belongs to the answer, so that the tokens of the prompt are always a
# prefix of those of the whole: no token reaches over a colon followed by a space.
CHAT_TEMPLATE = """\
{%- for message in messages -%}
{%- if message['content'] is string -%}
{%- set content = message['content'] -%}
{%- else -%}
{%- set parts = namespace(images='', text='') -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}
{%- set parts.images = parts.images ~ '<image>\\n' -%}
{%- elif part['type'] == 'text' -%}
{%- set parts.text = parts.text ~ part['text'] -%}
{%- endif -%}
{%- endfor -%}
{%- set content = parts.images ~ parts.text -%}
{%- endif -%}
{%- if message['role'] == 'system' -%}
{{- content ~ ' ' -}}
{%- elif message['role'] == 'user' -%}
{{- 'USER: ' ~ content ~ ' ' -}}
{%- elif message['role'] == 'assistant' -%}
{{- 'ASSISTANT:' -}}
{%- generation -%}
{{- ' ' ~ content ~ eos_token -}}
{%- endgeneration -%}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- 'ASSISTANT:' -}}
{%- endif -%}
"""


def token_id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    """The id of one token."""
    return int(tokenizer.get_vocab()[token])


def token_ids(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """The ids of a text's tokens."""
    return [int(token) for token in tokenizer.encode(text)]


def _texts(seed: int) -> Iterator[str]:
    """What the merges are learnt from: every prompt, every word, and answers with random labels."""
    rng = random.Random(seed)  # noqa: S311  nothing secret
    for wordings in read_prompts().values():
        yield from (f"USER: {IMAGE}\n{wording} ASSISTANT:" for wording in wordings for _ in range(40))
    for word in WORDS:
        yield from (f" {word}" for _ in range(60 if word in LABELS else 20))
    for number in range(2000):
        objects = [Object(rng.choice(WORDS), (0.0, 0.0, 0.0, 0.0)) for _ in range(rng.randrange(MOST_OBJECTS + 1))]
        # The coordinates are tokens of their own: what stands between them is what is left to learn.
        yield from (" " + ANSWERS[TASKS[number % len(TASKS)]](objects)).split("0.00")


def train_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """A tokenizer of 1,200 learnt tokens (256 of them bytes), 4 special ones and 100 coordinates."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_MERGED_VOCABULARY,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(_texts(seed), trainer)
    backend.add_special_tokens([AddedToken(token, normalized=False) for token in (PAD, BEGIN, END, IMAGE)])
    # Not special: decoding keeps them. Not single words: they are split off wherever they stand.
    backend.add_tokens([AddedToken(token, normalized=False) for token in COORDINATES])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        pad_token=PAD,
        bos_token=BEGIN,
        eos_token=END,
        extra_special_tokens={"image_token": IMAGE},
        model_max_length=MAX_LENGTH,
        padding_side="right",
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )

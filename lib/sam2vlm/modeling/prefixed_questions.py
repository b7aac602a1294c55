"""PaliGemma's way to be asked: no chat, but a question as a prefix that is read in both directions, then the answer.

Its processor writes the start token and the line's end around a question itself, and its model has to be told by
``token_type_ids`` which tokens are the answer's: 1, read one after the other; all others 0.
"""

from __future__ import annotations

from typing import Any

from transformers import PaliGemmaProcessor

__all__ = ["ANSWER_TYPES", "give_template", "marks_answers"]

#: The argument that tells the model.
ANSWER_TYPES = "token_type_ids"
# Its checkpoints have none. This one writes what the processor takes, and is saved with the adapter.
TEMPLATE = (
    "{% for message in messages %}{% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
)


def marks_answers(processor: Any) -> bool:
    """Return whether a processor's family has to be told which tokens are the answer's."""
    return isinstance(processor, PaliGemmaProcessor)


def give_template(processor: Any) -> None:
    """Give a processor of such a family the template that its checkpoints lack; changed in place."""
    if marks_answers(processor) and not processor.chat_template:
        processor.chat_template = TEMPLATE

"""A question, a picture's place and the answer as tokens, with the part that is learnt marked exactly.

Lengths are measured here, image tokens included, before anything is trained: a sample that is too long is found
at the start and is never cut, because a cut can go through the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from PIL import Image

from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import ProcessorMixin

    from sam2vlm.modeling.targets import Target

__all__ = ["Encoded", "Encoder"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One sample as tokens.

    Attributes:
        target: What it was made from.
        tokens: All tokens, the picture's in full.
        supervised: How many of the last ones are the assistant's, its end token included.
    """

    target: Target
    tokens: tuple[int, ...]
    supervised: int

    @property
    def length(self) -> int:
        """Tokens, the picture's included."""
        return len(self.tokens)


class Encoder:
    """Turns targets into tokens by a processor's own chat template.

    Args:
        processor: Of the model's family; it names the token that stands for the picture.
    """

    def __init__(self, processor: ProcessorMixin) -> None:
        # What all families have in fact and the base class does not declare.
        self._processor = cast("Any", processor)
        self._tokenizer = self._processor.tokenizer
        self._image_token = str(self._processor.image_token)
        self._image_token_id = int(self._tokenizer.convert_tokens_to_ids(self._image_token))
        self._pictures: dict[tuple[int, int], tuple[int, ...]] = {}

    def encode(self, target: Target) -> Encoded:
        """Encode one sample.

        Raises:
            DataError: Question or answer contain the picture's token.
            SettingsError: The chat template does not keep question and answer apart.
        """
        self._refuse_image_token(target)
        prompt = self.prompt_text(target.prompt)
        text = prompt + self._completion(prompt, target)
        before, whole = self._ids(prompt), self._ids(text)
        if whole[: len(before)] != before:
            raise SettingsError(
                "the tokens of the question change when the answer follows, so what is learnt is not what is asked "
                "later",
                source="chat template",
                found=prompt[-40:],
            )
        return Encoded(target, self._with_picture(whole, target), len(whole) - len(before))

    def prompt_text(self, prompt: str) -> str:
        """Return the question as the model sees it when it is to answer: one picture, then the text."""
        return str(self._processor.apply_chat_template([_user(prompt)], add_generation_prompt=True, tokenize=False))

    def _completion(self, prompt: str, target: Target) -> str:
        """Return what the assistant says: what the template puts before the answer, the answer, the end token."""
        messages = [_user(target.prompt), {"role": "assistant", "content": [{"type": "text", "text": target.answer}]}]
        text = str(self._processor.apply_chat_template(messages, add_generation_prompt=False, tokenize=False))
        lead, found, _rest = text.removeprefix(prompt).partition(target.answer)
        if not text.startswith(prompt) or not found or lead.strip():
            raise SettingsError(
                "the answer does not follow the question's end as the chat template writes it",
                source="chat template",
                expected=prompt[-40:],
                found=text[-80:],
            )
        # Some templates (LLaVA-1.5's among them) end an answer with a blank and no end token: a model that is
        # trained so never stops. What a template writes behind its end token belongs to the next turn.
        return f"{lead}{target.answer}{self._tokenizer.eos_token}"

    def _ids(self, text: str) -> list[int]:
        # As apply_chat_template(tokenize=True) does it: the start token is added where the template has none.
        begin = self._tokenizer.bos_token
        own = begin is not None and text.startswith(begin)
        return [int(token) for token in self._tokenizer(text, add_special_tokens=not own)["input_ids"]]

    def _with_picture(self, tokens: Sequence[int], target: Target) -> tuple[int, ...]:
        if tokens.count(self._image_token_id) != 1:
            raise SettingsError(
                "the chat template does not place the picture once",
                source="chat template",
                expected=1,
                found=tokens.count(self._image_token_id),
            )
        place = tokens.index(self._image_token_id)
        return (*tokens[:place], *self._picture(target.width, target.height), *tokens[place + 1 :])

    def _picture(self, width: int, height: int) -> tuple[int, ...]:
        """Return the tokens that stand for a picture of this size. They depend on the size alone."""
        if (width, height) not in self._pictures:
            blank = Image.new("RGB", (width, height))
            out = self._processor(images=[blank], text=[self._image_token], add_special_tokens=False)
            self._pictures[width, height] = tuple(int(token) for token in out["input_ids"][0])
        return self._pictures[width, height]

    def _refuse_image_token(self, target: Target) -> None:
        for field in ("prompt", "answer"):
            if self._image_token in getattr(target, field):
                raise DataError(
                    "contains the token that stands for the picture",
                    source=target.sample_id,
                    field=field,
                    found=self._image_token,
                )


def _user(prompt: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}

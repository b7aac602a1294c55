"""A question, a picture's place and the answer as tokens, with the part that is learnt marked exactly.

Lengths are measured here, image tokens included, before anything is trained: a sample that is too long is found
at the start and is never cut, because a cut can go through the picture.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from PIL import Image

from sam2vlm.errors import DataError, SettingsError
from sam2vlm.modeling.prefixed_questions import ANSWER_TYPES, marks_answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import ProcessorMixin

    from sam2vlm.modeling.targets import Target

__all__ = ["Encoded", "Encoder"]


TOKEN_TYPES = ("mm_token_type_ids", "token_type_ids")
PROBE = "answer"
#: Stands for a picture where only the text around it is asked for.
PLACE = Image.new("RGB", (1, 1))


@dataclass(frozen=True, slots=True)
class Encoded:
    """One sample as tokens.

    Attributes:
        target: What it was made from.
        tokens: All tokens, the picture's in full.
        supervised: How many of the last ones are the assistant's, its end token included.
        types: What else the family's model reads of each token, by the name of its argument: 1 for those of the
            picture and 0 for text; in families that are told the answer (PaliGemma), 1 for its tokens and 0 for
            all others. Empty for families that tell a picture by its token alone.
    """

    target: Target
    tokens: tuple[int, ...]
    supervised: int
    types: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)

    @property
    def length(self) -> int:
        """Tokens, the picture's included."""
        return len(self.tokens)


@dataclass(frozen=True, slots=True)
class _Picture:
    """What stands for a picture: its text, and the arguments that tell its tokens from others."""

    text: str
    types: tuple[str, ...]


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
        self._pictures: dict[tuple[int, int], _Picture] = {}

    def encode(self, target: Target) -> Encoded:
        """Encode one sample.

        Raises:
            DataError: Question or answer contain the picture's token.
            SettingsError: The chat template does not keep question and answer apart.
        """
        self._refuse_image_token(target)
        prompt = self.prompt_text(target.prompt)
        picture = self._picture(target.width, target.height)
        # Into the text and not into its tokens: blanks around a picture may join the question's own to one token.
        shown = self._placed(prompt, picture)
        before, whole = self._ids(shown), self._ids(shown + self._completion(prompt, target))
        if whole[: len(before)] != before:
            raise SettingsError(
                "the tokens of the question change when the answer follows, so what is learnt is not what is asked "
                "later",
                source="chat template",
                found=prompt[-40:],
            )
        return Encoded(target, tuple(whole), len(whole) - len(before), self._types(whole, len(before), picture))

    def prompt_text(self, prompt: str) -> str:
        """Return the question as the processor takes it when the model is to answer: one picture, then the text."""
        return str(self._processor.apply_chat_template([_user(prompt)], add_generation_prompt=True, tokenize=False))

    @functools.cached_property
    def end_token(self) -> str:
        """The token that ends an answer: the special one that the template writes behind it, or the tokenizer's own.

        Some templates (LLaVA-1.5's among them) end an answer with a blank and no end token: a model that is trained
        so never stops. Others end a turn with another token than a text (Gemma's among them).
        """
        text = str(self._processor.apply_chat_template([_user("?"), _assistant(PROBE)], tokenize=False))
        behind = text.rpartition(PROBE)[2].lstrip()
        added = self._tokenizer.added_tokens_decoder.values()
        special = [token.content for token in added if token.special and behind.startswith(token.content)]
        return max(special, key=len, default=str(self._tokenizer.eos_token))

    def _completion(self, prompt: str, target: Target) -> str:
        """Return what the assistant says: what the template puts before the answer, the answer, the end token."""
        messages = [_user(target.prompt), _assistant(target.answer)]
        text = str(self._processor.apply_chat_template(messages, add_generation_prompt=False, tokenize=False))
        lead = self._lead(prompt, text, target.answer)
        if lead is None:
            raise SettingsError(
                "the answer does not follow the question's end as the chat template writes it",
                source="chat template",
                expected=prompt[-40:],
                found=text[-80:],
            )
        # What a template writes behind its end token belongs to the next turn.
        return f"{lead}{target.answer}{self.end_token}"

    @staticmethod
    def _lead(prompt: str, text: str, answer: str) -> str | None:
        """Return the blanks between question and answer, or None where the answer does not follow."""
        if not text.startswith(prompt):
            # LLaVA-OneVision's template writes other blanks before an answer than where it asks for one, and a
            # model that is asked later sees the latter.
            return "" if text.removeprefix(prompt.rstrip()).lstrip().startswith(answer) else None
        lead, found, _rest = text.removeprefix(prompt).partition(answer)
        return lead if found and not lead.strip() else None

    def _ids(self, text: str) -> list[int]:
        # As apply_chat_template(tokenize=True) does it: the start token is added where the template has none.
        begin = self._tokenizer.bos_token
        own = begin is not None and text.startswith(begin)
        return [int(token) for token in self._tokenizer(text, add_special_tokens=not own)["input_ids"]]

    def _placed(self, prompt: str, picture: _Picture) -> str:
        if prompt.count(self._image_token) != 1:
            raise SettingsError(
                "the chat template does not place the picture once",
                source="chat template",
                expected=1,
                found=prompt.count(self._image_token),
            )
        # Some processors write more around a question than its template does.
        _pictures, (laid,), *_ = self._processor.prepare_inputs_layout(images=[PLACE], text=[prompt])
        return str(laid).replace(self._image_token, picture.text)

    def _picture(self, width: int, height: int) -> _Picture:
        """Return what stands for a picture of this size. It depends on the size alone."""
        if (width, height) not in self._pictures:
            blank = Image.new("RGB", (width, height))
            out = self._processor(
                images=[blank], text=[self._image_token], add_special_tokens=False, return_text_replacement_offsets=True
            )
            (replaced,) = out["text_replacement_offsets"][0]
            self._pictures[width, height] = _Picture(
                replaced["replacement"],
                # The name of the argument: Gemma 3 calls token_type_ids what others call mm_token_type_ids.
                tuple(name for name in TOKEN_TYPES if name in out and self._processor.return_mm_token_type_ids),
            )
        return self._pictures[width, height]

    def _types(self, tokens: list[int], asked: int, picture: _Picture) -> dict[str, tuple[int, ...]]:
        if marks_answers(self._processor):
            return {ANSWER_TYPES: (0,) * asked + (1,) * (len(tokens) - asked)}
        if not picture.types:
            return {}
        (kinds,) = self._processor.create_mm_token_type_ids([tokens])
        return dict.fromkeys(picture.types, tuple(map(int, kinds)))

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


def _assistant(answer: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": answer}]}

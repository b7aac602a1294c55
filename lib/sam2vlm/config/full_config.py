"""Which parts of a model learn where its weights are trained themselves, without an adapter."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from sam2vlm.config.group import Group

__all__ = ["FullConfig"]


class FullConfig(Group):
    """The parts that method full trains; the others stay as they are, byte for byte.

    The defaults are those of LLaVA's second stage (Liu et al. 2023, section 4.2).
    """

    language_model: bool = Field(
        default=True, description="Whether the language model learns, its words' embeddings and output layer included."
    )
    projector: bool = Field(
        default=True, description="Whether the layers between vision tower and language model learn."
    )
    vision_tower: bool = Field(
        default=False, description="Whether the vision tower learns, as far as its features are used."
    )

    @model_validator(mode="after")
    def _something_learns(self) -> Self:
        if not self.parts:
            raise ValueError(
                "training.full leaves nothing to learn; set language_model, projector or vision_tower of it to yes"
            )
        return self

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts that learn."""
        return tuple(name for name in type(self).model_fields if getattr(self, name))

"""What a model said about one frame, ready to be shown: a picture and a text."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SamplePrediction"]


@dataclass(frozen=True, slots=True)
class SamplePrediction:
    """One frame.

    Attributes:
        name: The frame's, the same each time; what shows it makes a series of its pictures.
        picture: A PNG file: the true boxes beside the predicted ones.
        text: Questions, true answers and the model's, as Markdown.
    """

    name: str
    picture: bytes
    text: str

"""Questions about a frame, their wordings, and the answers as text."""

from sam2vlm.data_converter.instructions.answers import TASKS, BoxConvention, answer_text
from sam2vlm.data_converter.instructions.box_text import (
    NOTHING,
    LlavaBoxes,
    ParsedObjects,
    format_objects,
    parse_objects,
)
from sam2vlm.data_converter.instructions.mixture import DEFAULT_WEIGHTS, Instruction, InstructionMix, wordings
from sam2vlm.data_converter.instructions.seen_objects import SeenObject

__all__ = [
    "DEFAULT_WEIGHTS",
    "NOTHING",
    "TASKS",
    "BoxConvention",
    "Instruction",
    "InstructionMix",
    "LlavaBoxes",
    "ParsedObjects",
    "SeenObject",
    "answer_text",
    "format_objects",
    "parse_objects",
    "wordings",
]

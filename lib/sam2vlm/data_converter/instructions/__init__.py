"""Questions about a frame, their wordings, and the answers as text."""

from sam2vlm.data_converter.instructions.answers import (
    FRAME_TASKS,
    GENERAL,
    PLAIN_TASKS,
    TASKS,
    answer_text,
    written,
)
from sam2vlm.data_converter.instructions.box_text import format_objects, parse_objects
from sam2vlm.data_converter.instructions.conventions import (
    CONVENTIONS,
    NOTHING,
    BoxConvention,
    LlavaBoxes,
    ParsedObjects,
    box_convention,
)
from sam2vlm.data_converter.instructions.instruction import Instruction
from sam2vlm.data_converter.instructions.mixture import DEFAULT_WEIGHTS, InstructionMix
from sam2vlm.data_converter.instructions.seen_objects import SeenObject
from sam2vlm.data_converter.instructions.templates import load_templates, wordings

__all__ = [
    "CONVENTIONS",
    "DEFAULT_WEIGHTS",
    "FRAME_TASKS",
    "GENERAL",
    "NOTHING",
    "PLAIN_TASKS",
    "TASKS",
    "BoxConvention",
    "Instruction",
    "InstructionMix",
    "LlavaBoxes",
    "ParsedObjects",
    "SeenObject",
    "answer_text",
    "box_convention",
    "format_objects",
    "load_templates",
    "parse_objects",
    "wordings",
    "written",
]

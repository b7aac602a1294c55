"""From the settings to what is asked about the frames, and to what is mixed in from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations.joined_frames import joined
from sam2vlm.artifacts import digest_of_file
from sam2vlm.data_converter.instructions import InstructionMix, load_templates
from sam2vlm.data_converter.instructions.fitting import fit_mix
from sam2vlm.data_converter.instructions.general_data import read_general_data
from sam2vlm.data_converter.instructions.templates import package_templates
from sam2vlm.data_converter.video_questions import write_video_questions
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jobs.prepare.settings import InstructionSettings
    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.instructions.fitting import MixFacts
    from sam2vlm.data_converter.instructions.general_data import GeneralData

__all__ = ["Asking", "instruction_inputs", "instruction_mix", "plan_questions"]

TRAIN = "train"


def instruction_mix(settings: InstructionSettings, seed: int) -> InstructionMix:
    """Return the plan of what is asked about each frame, not yet fitted to any.

    Raises:
        SettingsError: It asks nothing, or more than there are wordings for; a file that it names is not there or is
            wrong.
    """
    instruction_inputs(settings)
    templates = package_templates() if settings.templates is None else load_templates(settings.templates)
    try:
        return InstructionMix(
            weights=settings.weights,
            per_frame=settings.per_frame,
            seed=seed,
            language=settings.language,
            templates=templates,
            max_same_answer=settings.max_same_answer,
            max_points=settings.polygon_points,
            min_outline_iou=settings.min_polygon_iou,
        )
    except SettingsError as error:
        raise error.with_source("SAM2VLM_INSTRUCTIONS") from None


def instruction_inputs(settings: InstructionSettings) -> dict[str, str]:
    """Return the digest of each file that the settings name, by its name in the manifest.

    The pictures that general data names are taken to be what they were.

    Raises:
        SettingsError: A file is not there or may not be read.
    """
    named = {"templates": settings.templates, "general_data": settings.general_data}
    found = {}
    for name, path in named.items():
        if path is None:
            continue
        try:
            found[name] = digest_of_file(path)
        except OSError as error:
            raise SettingsError(
                "cannot be read",
                source=f"SAM2VLM_INSTRUCTIONS__{name.upper()}",
                expected="a file",
                found=f"{path}: {(error.strerror or 'no file').lower()}",
            ) from None
    return found


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked, fitted to the frames.

    Attributes:
        mix: Says what is asked about a frame.
        splits: The frames of each split, those of the general data behind train's own.
        facts: For the manifest.
    """

    mix: InstructionMix
    splits: Mapping[str, Sequence[Frame]]
    facts: Mapping[str, Any]

    def section(self) -> str:
        """Return what the report says below its table of questions, in Markdown."""
        lines = []
        if self.facts["left_out"]:
            reasons = ", ".join(f"{reason} {count}" for reason, count in self.facts["left_out"].items())
            lines.append(f"- Questions that are not asked: {reasons}.")
        outlines = self.facts.get("polygons")
        if outlines:
            lines.append(
                f"- {outlines['count']} polygons of at most {outlines['most_points']} points agree with their masks to "
                f"an IoU of {outlines['mean_iou']:.3f} on average, {outlines['min_iou']:.3f} at least."
            )
        general = self.facts.get("general")
        if general:
            reasons = ", ".join(f"{reason} {count}" for reason, count in general["left_out"].items()) or "none"
            lines.append(
                f"- {general['used']} of {general['rows']} conversations of the general data are in train, "
                f"{100 * general['share']:.1f} % of it; left out: {reasons}."
            )
        return "".join(f"{line}\n" for line in ["", *lines]) if lines else ""


def plan_questions(
    splits: Mapping[str, Sequence[Frame]], folder: Path, mix: InstructionMix, settings: InstructionSettings
) -> Asking:
    """Fit the plan to the frames, add the general data, and write the questions about videos where they are wanted.

    Args:
        splits: The frames of each split.
        folder: ``RUN/prepare``; gets ``videos/<split>.jsonl``.
        mix: See :func:`instruction_mix`.
        settings: Of the group.

    Raises:
        DataError: A label is no text, or a row of the general data is wrong.
    """
    fitted, found = fit_mix(mix, splits)
    facts: dict[str, Any] = {"language": mix.language, "left_out": dict(found.left_out)}
    if found.outlines:
        facts["polygons"] = dict(found.outlines)
    videos = write_video_questions(splits, folder / "videos", mix=fitted)
    if videos:
        facts["video_questions"] = videos
    if settings.general_data is None:
        return Asking(fitted, splits, facts)
    own, share = found.conversations[TRAIN], settings.general_share
    general = read_general_data(settings.general_data, wanted=round(own * share / (1 - share)), seed=mix.seed)
    facts["general"] = _general_facts(general, found)
    if not general.frames:
        return Asking(fitted, splits, facts)
    return Asking(fitted, {**splits, TRAIN: joined([splits[TRAIN], general.frames])}, facts)


def _general_facts(general: GeneralData, found: MixFacts) -> dict[str, Any]:
    used = len(general.frames)
    return {
        "rows": general.seen,
        "used": used,
        "left_out": dict(general.left_out),
        "share": round(used / (used + found.conversations[TRAIN]), 4) if used else 0.0,
    }

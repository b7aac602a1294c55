"""Processors of families that also know videos, loaded without the part that only videos need.

That part needs torchvision, whose picture functions must not be used here (see ``load_processor``), and what is
trained on are single pictures. Its settings are kept and saved again, so that a tuned model is as whole as its base.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import transformers
from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer, ProcessorMixin
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.video_processing_utils import VideoProcessorMixin

from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["VideoSettings", "knows_videos", "load_without_video", "pictures_only", "processor_class"]

VIDEO = "video_processor"
PARTS: dict[str, Any] = {"image_processor": AutoImageProcessor, "tokenizer": AutoTokenizer}
#: Where a checkpoint keeps them: in files of this version of Transformers, and in those of earlier ones.
PROCESSOR_FILE, VIDEO_FILE, PICTURE_FILE = (
    "processor_config.json",
    "video_preprocessor_config.json",
    "preprocessor_config.json",
)


class VideoSettings(VideoProcessorMixin):
    """Stands where a processor wants one for videos: it holds the settings and takes no video."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def __getattr__(self, name: str) -> Any:
        settings = self.__dict__.get("_settings", {})
        if name not in settings:
            raise AttributeError(name)
        return settings[name]

    def __call__(self, *_args: Any, **_options: Any) -> Any:
        """Refuse.

        Raises:
            DataError: Always.
        """
        raise DataError("a video was given where only pictures are taken")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as they were read."""
        return dict(self._settings)


def processor_class(folder: Path) -> Any:
    """Return the class that a folder's processor is of, or None where only Transformers itself can tell."""
    name = next(
        (said for file in (PROCESSOR_FILE, PICTURE_FILE) if (said := _read(folder, file).get("processor_class"))), None
    )
    found = getattr(transformers, str(name), None)
    if found is None and (folder / "config.json").is_file():
        found = PROCESSOR_MAPPING.get(type(AutoConfig.from_pretrained(folder, local_files_only=True)), None)
    return found if isinstance(found, type) and issubclass(found, ProcessorMixin) else None


def knows_videos(folder: Path) -> bool:
    """Return whether a folder's processor has a part for videos."""
    kind = processor_class(folder)
    return kind is not None and VIDEO in kind.get_attributes()


def load_without_video(folder: Path, kind: Any) -> ProcessorMixin:
    """Load a processor part by part, its videos' part replaced by :class:`VideoSettings`.

    Args:
        folder: Where it is.
        kind: Its class, which takes a processor of videos.

    Raises:
        OSError, ValueError, KeyError: As Transformers' own loading.
    """
    common = {"local_files_only": True, "trust_remote_code": False}
    parts = [
        VideoSettings(_video_settings(folder))
        if name == VIDEO
        else PARTS[name].from_pretrained(folder, **common, **({"backend": "pil"} if name == "image_processor" else {}))
        for name in kind.get_attributes()
    ]
    settings, _rest = kind.get_processor_dict(folder, local_files_only=True)
    processor = pictures_only(kind).from_args_and_dict(parts, settings)
    assert isinstance(processor, ProcessorMixin)  # noqa: S101  told to mypy
    return processor


@functools.cache
def pictures_only(kind: Any) -> Any:
    """Return a processor's class that takes :class:`VideoSettings` in place of a processor of videos.

    Without torchvision Transformers does not even have the class that it checks that part against.
    """

    def check(self: Any, name: str, part: Any) -> Any:
        return (
            VideoSettings if isinstance(part, VideoSettings) else kind.check_argument_for_proper_class(self, name, part)
        )

    # The same name, because it is saved, and whoever loads it from there wants the family's own.
    return type(kind.__name__, (kind,), {"check_argument_for_proper_class": check, "__module__": kind.__module__})


def _video_settings(folder: Path) -> dict[str, Any]:
    own = _read(folder, PROCESSOR_FILE).get(VIDEO)
    return dict(own) if own else _read(folder, VIDEO_FILE) or _read(folder, PICTURE_FILE)


def _read(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    values = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return values if isinstance(values, dict) else {}

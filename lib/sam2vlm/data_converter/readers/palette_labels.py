"""What ``meta.json`` calls the objects of palette masks, as YouTube-VOS writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.data_converter.json_fields import read_json

if TYPE_CHECKING:
    from sam2vlm.data_converter.archive import ExportArchive

__all__ = ["read_labels"]

_META = "meta.json"


def read_labels(archive: ExportArchive) -> dict[tuple[str, int], str]:
    """Return labels by video and object id; empty where no ``meta.json`` names any.

    Raises:
        DataError: ``meta.json`` is no JSON object, or an object's key is no number.
    """
    labels: dict[tuple[str, int], str] = {}
    for name in archive.names:
        if name.rpartition("/")[2].casefold() != _META:
            continue
        videos = read_json(archive, name).child("videos")
        for video in videos.values:
            objects = videos.child(video).child("objects")
            for key in objects.values:
                if not (key.isascii() and key.isdigit()):
                    objects.fail(key, "is no object id", expected="a pixel value", found=key)
                label = objects.child(key).optional_text("category")
                if label:
                    labels[video, int(key)] = label
    return labels

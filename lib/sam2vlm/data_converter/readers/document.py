"""A JSON entry that was read once, with its content's identity, and what it looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.data_converter.dialects import AUTOMATIC_MASKS, COCO_INSTANCES, SA_V
from sam2vlm.data_converter.json_fields import JsonObject, is_list, read_document, source_of, top_object

if TYPE_CHECKING:
    from sam2vlm.data_converter.archive import ExportArchive

__all__ = ["Document", "json_names", "open_document", "shape_of"]

_IDENTITY_DIGITS = 12
_METADATA = "metadata.json"
_GENERATED = frozenset({"predicted_iou", "stability_score", "point_coords", "crop_box"})


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON entry.

    Attributes:
        name: The entry.
        source: How messages call it.
        value: What it holds.
        identity: Digest of its bytes.
    """

    name: str
    source: str
    value: Any
    identity: str

    def object(self) -> JsonObject:
        """Return it as an object.

        Raises:
            DataError: Its top is something else.
        """
        return top_object(self.value, self.source)


def open_document(archive: ExportArchive, name: str) -> Document:
    """Read a JSON entry.

    Raises:
        DataError: It is damaged, too large, or not JSON.
    """
    value, digest = read_document(archive, name)
    return Document(name, source_of(archive, name), value, digest[:_IDENTITY_DIGITS])


def json_names(archive: ExportArchive) -> list[str]:
    """Return the archive's JSON entries but for ``metadata.json``, sorted."""
    return [
        name
        for name in archive.names
        if name.casefold().endswith(".json") and name.rpartition("/")[2].casefold() != _METADATA
    ]


def shape_of(value: Any) -> str | None:
    """Return which dialect a JSON document looks like; None for none that is known."""
    if isinstance(value, list):
        return AUTOMATIC_MASKS if value and _is_generated(value[0]) else None
    if not isinstance(value, dict):
        return None
    if "masklet" in value:
        return SA_V
    annotations = value.get("annotations")
    if is_list(annotations) and isinstance(value.get("images"), list):
        return COCO_INSTANCES
    if is_list(annotations) and isinstance(value.get("image"), dict):
        return AUTOMATIC_MASKS
    return None


def _is_generated(item: Any) -> bool:
    return isinstance(item, dict) and "segmentation" in item and not _GENERATED.isdisjoint(item)

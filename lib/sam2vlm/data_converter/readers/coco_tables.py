"""The three tables of a COCO instances file, checked and joined."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sam2vlm.data_converter.json_fields import JsonObject

__all__ = ["CocoImage", "CocoTables", "read_tables"]

# How exporters of videos name an object's identity; the first that every annotation has is used.
_TRACK_KEYS = ("track_id", "instance_id", "object_id")
_INDEX_KEYS = ("frame_index", "frame_id")


@dataclass(frozen=True, slots=True)
class CocoImage:
    """A member of ``images``.

    Attributes:
        record: For messages.
        file_name: Of its picture.
        size: Width and height as told; None where not told.
        sequence: Its video inside of the file: ``video_id`` where every image has one, else the picture's folder.
        index: ``frame_index`` or ``frame_id`` where every image has one.
        annotations: Its members of ``annotations``.
    """

    record: JsonObject
    file_name: str
    size: tuple[int, int] | None
    sequence: str
    index: int | None
    annotations: Sequence[JsonObject]


@dataclass(frozen=True, slots=True)
class CocoTables:
    """A file's tables.

    Attributes:
        images: In the file's order.
        labels: Names by category id.
        track_key: The annotations' member that says which object it is; None where they have none: then every
            annotation is an object of its own, by its ``id``.
        in_attributes: Whether ``track_key`` stands in the annotations' ``attributes``, as CVAT writes it.
    """

    images: Sequence[CocoImage]
    labels: Mapping[int, str]
    track_key: str | None
    in_attributes: bool

    def object_id(self, annotation: JsonObject) -> int:
        """Return the identity of an annotation's object."""
        if self.track_key is None:
            return annotation.integer("id")
        holder = annotation.child("attributes") if self.in_attributes else annotation
        return holder.integer(self.track_key)

    def label(self, annotation: JsonObject) -> str:
        """Return the name of an annotation's category; empty where it has none.

        Raises:
            DataError: There is no such category.
        """
        category = annotation.optional_integer("category_id")
        if category is None:
            return ""
        if category not in self.labels:
            annotation.fail(
                "category_id",
                "names no category",
                expected=f"one of {sorted(self.labels)}",
                found=category,
            )
        return self.labels[category]


def read_tables(top: JsonObject) -> CocoTables:
    """Read the tables.

    Raises:
        DataError: A table is missing, an id occurs twice, or an annotation is of no image.
    """
    images = top.children("images")
    annotations = top.children("annotations")
    by_image = _by_image(annotations, _unique(images, "id"))
    _unique(annotations, "id")
    sequenced = all("video_id" in image for image in images)
    index_key = next((key for key in _INDEX_KEYS if all(key in image for image in images)), None)
    track_key, in_attributes = _track_key(annotations)
    return CocoTables(
        images=[_image(image, by_image, index_key, sequenced=sequenced) for image in images],
        labels=_labels(top),
        track_key=track_key,
        in_attributes=in_attributes,
    )


def _image(
    record: JsonObject, by_image: Mapping[int, Sequence[JsonObject]], index_key: str | None, *, sequenced: bool
) -> CocoImage:
    file_name = record.text("file_name").replace("\\", "/")
    width, height = record.optional_integer("width", least=1), record.optional_integer("height", least=1)
    return CocoImage(
        record=record,
        file_name=file_name,
        size=None if width is None or height is None else (width, height),
        sequence=str(record.integer("video_id")) if sequenced else file_name.rpartition("/")[0],
        index=None if index_key is None else record.integer(index_key),
        annotations=by_image.get(record.integer("id"), ()),
    )


def _unique(records: Sequence[JsonObject], key: str) -> dict[int, str]:
    """Return where each id stands.

    Raises:
        DataError: One occurs twice.
    """
    seen: dict[int, str] = {}
    for record in records:
        value = record.integer(key)
        if value in seen:
            record.fail(key, "occurs twice", expected="an id of its own", found=f"{value} also in {seen[value]}")
        seen[value] = record.path
    return seen


def _by_image(annotations: Sequence[JsonObject], images: Mapping[int, str]) -> dict[int, list[JsonObject]]:
    found: dict[int, list[JsonObject]] = defaultdict(list)
    for annotation in annotations:
        image = annotation.integer("image_id")
        if image not in images:
            annotation.fail("image_id", "names no image", expected="the id of a member of images", found=image)
        found[image].append(annotation)
    return found


def _track_key(annotations: Sequence[JsonObject]) -> tuple[str | None, bool]:
    for key in _TRACK_KEYS:
        if annotations and all(key in annotation for annotation in annotations):
            return key, False
        if annotations and all(_has_attribute(annotation, key) for annotation in annotations):
            return key, True
    return None, False


def _has_attribute(annotation: JsonObject, key: str) -> bool:
    attributes = annotation.values.get("attributes")
    return isinstance(attributes, dict) and attributes.get(key) is not None


def _labels(top: JsonObject) -> dict[int, str]:
    if "categories" not in top:
        return {}
    categories = top.children("categories")
    _unique(categories, "id")
    return {category.integer("id"): category.text("name") for category in categories}

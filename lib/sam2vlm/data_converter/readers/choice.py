"""Which reader an export needs, from what is in it, or from the setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.data_converter.dialects import AUTO, AUTOMATIC_MASKS, COCO_INSTANCES, PALETTE_PNG, SA_V
from sam2vlm.data_converter.export_layout import ANNOTATIONS, find_layout
from sam2vlm.data_converter.export_notes import listed
from sam2vlm.data_converter.readers.automatic_masks import AutomaticMasksReader
from sam2vlm.data_converter.readers.coco_instances import CocoInstancesReader
from sam2vlm.data_converter.readers.document import Document, json_names, open_document, shape_of
from sam2vlm.data_converter.readers.frame_export import FrameExportReader
from sam2vlm.data_converter.readers.palette import PaletteReader
from sam2vlm.data_converter.readers.palette_layout import find_palettes
from sam2vlm.data_converter.readers.sav import SavReader
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from sam2vlm.data_converter.archive import ExportArchive
    from sam2vlm.data_converter.readers.reading import ExportReader

__all__ = ["open_reader"]

_LAYOUTS = (SA_V, AUTOMATIC_MASKS, COCO_INSTANCES, PALETTE_PNG)
_FRAME_RECORDS = "frame records"
_SAV_ENDS = ("_manual.json", "_auto.json")


def open_reader(
    archive: ExportArchive, *, dialect: str = AUTO, default_label: str = "", fps: float | None = None
) -> ExportReader:
    """Return the reader of an export.

    A dialect of masks, as a setting, means the demo tool's layout; a dialect of a whole export means that one.

    Args:
        archive: The export.
        dialect: One of ``sam2vlm.data_converter.dialects.DIALECTS``.
        default_label: For the objects of dialects that have no labels.
        fps: For the frames of dialects that have no times, frames a second; None where nobody knows.

    Raises:
        DataError: The export is of no dialect, or of more than one.
    """
    document, layout = (None, dialect) if dialect in (*_LAYOUTS, PALETTE_PNG) else _recognised(archive, dialect)
    told = f"the dialect setting is {dialect}" if dialect == layout else None
    if layout == PALETTE_PNG:
        return _palette_reader(archive, told, default_label, fps)
    if layout == SA_V:
        return SavReader(archive, evidence=told or _evidence(document, "masklet[frame][object]"), label=default_label)
    if layout == AUTOMATIC_MASKS:
        evidence = told or _evidence(document, "a list of masks with predicted_iou, stability_score or crop_box")
        return AutomaticMasksReader(archive, evidence=evidence, label=default_label, fps=fps)
    if layout == COCO_INSTANCES:
        only = _only_instances(archive, document)
        return CocoInstancesReader(
            archive, only, evidence=told or _evidence(only, "images and annotations that name each other"), fps=fps
        )
    return FrameExportReader(archive, document or _annotations(archive), dialect=dialect)


def _recognised(archive: ExportArchive, dialect: str) -> tuple[Document | None, str]:
    """Return the document that told, and the layout."""
    named = [name for name in archive.names if name.rpartition("/")[2].casefold() == ANNOTATIONS]
    if dialect != AUTO or len(named) > 1:
        return None, _FRAME_RECORDS
    names = json_names(archive)
    if named:
        others = [name for name in names if name.casefold().endswith(_SAV_ENDS)]
        if others:
            raise DataError(
                "holds exports of two kinds", source=archive.path, expected="one", found=f"{named[0]} and {others[0]}"
            )
        document = open_document(archive, named[0])
        return document, shape_of(document.value) or _FRAME_RECORDS
    for name in names:
        document = open_document(archive, name)
        layout = shape_of(document.value)
        if layout is not None:
            return document, layout
    if find_palettes(archive) is not None:
        return None, PALETTE_PNG
    return None, _FRAME_RECORDS


def _annotations(archive: ExportArchive) -> Document:
    return open_document(archive, find_layout(archive).annotations)


def _evidence(document: Document | None, holds: str) -> str:
    return "" if document is None else f"{document.name.rpartition('/')[2]} holds {holds}"


def _only_instances(archive: ExportArchive, first: Document | None) -> Document:
    """Return the one instances file.

    Raises:
        DataError: There is none, or there are several.
    """
    found = [] if first is None else [first]
    for name in json_names(archive):
        if first is None or name != first.name:
            document = open_document(archive, name)
            if shape_of(document.value) == COCO_INSTANCES:
                found.append(document)
    if len(found) != 1:
        raise DataError(
            "holds more than one COCO file" if found else "holds no COCO file",
            source=archive.path,
            expected="one JSON with images, annotations and categories",
            found=listed([document.name for document in found] or json_names(archive)) or "no JSON",
        )
    return found[0]


def _palette_reader(archive: ExportArchive, told: str | None, label: str, fps: float | None) -> PaletteReader:
    layout = find_palettes(archive)
    if layout is None:
        raise DataError(
            "holds no palette masks", source=archive.path, expected="indexed PNGs", found=listed(archive.names)
        )
    masks = sum(map(len, layout.sequences.values()))
    first = next(iter(layout.sequences.values()))[0].mask
    evidence = told or f"{masks} PNGs like {first} lie where masks do, {layout.indexed} of them with a palette"
    return PaletteReader(archive, layout, evidence=evidence, label=label, fps=fps)

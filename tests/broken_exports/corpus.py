"""All rows of the table."""

from __future__ import annotations

from tests.broken_exports import (
    archive_headers,
    archives,
    coco_and_palette,
    coco_masks,
    entry_names,
    flips,
    json_texts,
    json_values,
    labels_and_splits,
    masks,
    picture_places,
    pictures,
    sav_and_generator,
    several,
    structure,
    videos,
)

CORPUS = [
    case
    for module in (
        structure,
        picture_places,
        archives,
        archive_headers,
        flips,
        entry_names,
        json_texts,
        json_values,
        masks,
        coco_masks,
        labels_and_splits,
        pictures,
        sav_and_generator,
        coco_and_palette,
        videos,
        several,
    )
    for case in module.ROWS
]

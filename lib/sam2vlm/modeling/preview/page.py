"""The preview as one HTML page, for long conversations and for scripts that no font at hand has."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from sam2vlm.annotations.picture_text import picture_font
from sam2vlm.modeling.preview.overlays import OVERLAY_LEGEND, draw_sample
from sam2vlm.modeling.preview.words import read_back
from sam2vlm.validation.html_report import page_environment, render_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sam2vlm.modeling.preview.samples import PreviewSample

__all__ = ["preview_page"]

WIDTH = 560
JPEG_QUALITY = 85


def preview_page(samples: Sequence[PreviewSample], *, title: str, written_as: str, font: Path | None = None) -> str:
    """Return the page; it opens from a file, and equal input gives equal bytes.

    Args:
        samples: What to show.
        title: Stands above.
        written_as: How the boxes are written, in words.
        font: Of the labels in the pictures; see :func:`sam2vlm.modeling.preview.sheet.preview_sheet`.

    Raises:
        DataError: A mask is not what the prepare phase wrote.
        SettingsError: The file is no font.
    """
    import jinja2

    environment = page_environment(jinja2.PackageLoader("sam2vlm.modeling.preview"))
    shown = [
        {
            "sample": sample,
            "source": _picture(sample, font),
            "turns": [(turn, *read_back(turn)) for turn in sample.turns],
        }
        for sample in samples
    ]
    return render_page(
        environment, "preview.html.jinja", title=title, written_as=written_as, legend=OVERLAY_LEGEND, shown=shown
    )


def _picture(sample: PreviewSample, font: Path | None) -> str:
    stream = io.BytesIO()
    drawn = draw_sample(sample, width=WIDTH, font=picture_font(path=font))
    drawn.save(stream, format="JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"

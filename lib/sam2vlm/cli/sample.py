"""``sam2vlm sample``: write a synthetic SAM 2 export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sam2vlm.errors import SettingsError
from sam2vlm.sample.defects import DEFECTS

__all__ = ["sample"]

_DEFECT_HELP = "What shall be wrong with it; may be given several times.\n\n" + "\n\n".join(
    f"{name}: {meaning}." for name, meaning in DEFECTS.items()
)


def sample(
    out: Annotated[Path, typer.Argument(help="The ZIP to write.")],
    *,
    frames: Annotated[int, typer.Option(help="Exported frames.")] = 120,
    objects: Annotated[int, typer.Option(help="Distinct objects; a frame sees one to five of them.")] = 8,
    size: Annotated[str, typer.Option(metavar="WxH", help="Of the frames, pixels.")] = "854x480",
    dialect: Annotated[
        str,
        typer.Option(
            help="How masks are stored: sam2-demo-1.0.0, coco-compressed, coco-uncompressed, sa-v, automatic-masks, "
            "coco-instances or palette-png."
        ),
    ] = "sam2-demo-1.0.0",
    seed: Annotated[int, typer.Option(help="Equal seeds give equal bytes.")] = 0,
    defect: Annotated[list[str] | None, typer.Option(metavar="NAME", help=_DEFECT_HELP)] = None,
    fps: Annotated[float, typer.Option(help="Exported frames a second of video.")] = 5.0,
    classes: Annotated[int, typer.Option(help="Kinds of things, 1 to 8; the objects take them in turn.")] = 4,
) -> None:
    """Write a synthetic export in the SAM 2 demo tool's layout: moving things of named classes, and their masks."""
    from sam2vlm.logs import configure_logging
    from sam2vlm.sample import write_sample

    configure_logging("sample")
    width, height = _parsed_size(size)
    made = write_sample(
        out,
        frames=frames,
        objects=objects,
        width=width,
        height=height,
        dialect=dialect,
        seed=seed,
        defects=defect or (),
        fps=fps,
        classes=classes,
    )
    labels = ", ".join(f"{count} {label}" for label, count in made.labels.items()) or "nothing"
    typer.echo(
        f"{made.path}: {made.images} pictures of {made.frames} frames, {made.objects} objects seen {made.instances}"
        f" times ({labels}), {made.size_bytes / 1e6:.1f} MB"
    )
    for name in made.defects:
        typer.echo(f"  with {name}: {DEFECTS[name]}")


def _parsed_size(text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
        raise SettingsError("cannot be read", field="--size", expected="WxH in pixels, as in 854x480", found=text)
    return int(width), int(height)

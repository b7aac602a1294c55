"""``sam2vlm preview``: look at what training will see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sam2vlm.errors import DataError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sam2vlm.modeling.preview import PreviewSample

__all__ = ["preview"]

SUFFIXES = (".png", ".html")
DEFAULT_FAMILY = "llava"
SHOWN_LETTERS = 20


def preview(
    folder: Annotated[Path, typer.Argument(help="A run, its prepare folder, or the dataset in it.")],
    *,
    split: Annotated[str, typer.Option(help="Which split.")] = "train",
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many frames.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds choose equal frames.")] = 0,
    out: Annotated[Path, typer.Option(help="A .png contact sheet, or an .html page.")] = Path("preview.png"),
    family: Annotated[
        str | None,
        typer.Option(help="Whose way to write boxes; left out, that of the run's model, and llava before training."),
    ] = None,
    font: Annotated[Path | None, typer.Option(help="A font file, for labels that the usual one has not.")] = None,
) -> None:
    """Draw prepared frames with masks, boxes and conversations; boxes are read back from the answers' own text."""
    from sam2vlm.artifacts import open_atomic
    from sam2vlm.data_converter.instructions import box_convention
    from sam2vlm.evaluation.frames import read_split
    from sam2vlm.modeling.preview import choose_samples, preview_page, preview_sheet

    if out.suffix.lower() not in SUFFIXES:
        raise SettingsError("cannot be drawn", field="--out", expected=" or ".join(SUFFIXES), found=out)
    dataset = _dataset(folder)
    written_by = family or _trained_family(dataset) or DEFAULT_FAMILY
    boxes = box_convention(written_by)
    samples = choose_samples(read_split(dataset, split), count=count, seed=seed, boxes=boxes)
    title = f"{split}: {len(samples)} frames, seed {seed}"
    shown_as = f"{written_by}, {boxes.description}"
    if out.suffix.lower() == ".png":
        content = preview_sheet(samples, title=title, written_as=shown_as, font=font)
    else:
        content = preview_page(samples, title=title, written_as=shown_as, font=font).encode()
    with open_atomic(out) as stream:
        stream.write(content)
    typer.echo(f"{out}: {title}, boxes as {shown_as}")
    _tell_missing_letters(_texts(samples, png=out.suffix.lower() == ".png"), font)


def _texts(samples: Sequence[PreviewSample], *, png: bool) -> Iterator[str]:
    """Yield what is drawn with the font: labels always, conversations in a picture only."""
    for sample in samples:
        yield from (item.label for item in sample.objects)
        if png:
            yield from (turn.prompt + turn.answer for turn in sample.turns)


def _dataset(folder: Path) -> Path:
    from sam2vlm.artifacts import RunLayout

    for dataset in (RunLayout(folder).dataset, folder / "dataset", folder):
        if (dataset / "dataset_dict.json").is_file():
            return dataset
    raise DataError(
        "holds no prepared dataset",
        source=folder,
        expected="a run, its prepare folder, or the dataset in it",
        found="something else" if folder.exists() else "nothing",
    )


def _trained_family(dataset: Path) -> str | None:
    """Return the family of the model that the dataset's run was trained with, or None before training."""
    from sam2vlm.artifacts import RunLayout, read_manifest
    from sam2vlm.config import ModelRegistry

    manifest = RunLayout(dataset.resolve().parent.parent).manifest("train")
    if not manifest.is_file():
        return None
    return ModelRegistry.get(str(read_manifest(manifest).settings["model"]["name"])).type.value


def _tell_missing_letters(texts: Iterable[str], font: Path | None) -> None:
    from sam2vlm.annotations.picture_text import missing_letters, picture_font

    missing = missing_letters("".join(texts), picture_font(path=font))
    if missing:
        more = f" and {len(missing) - SHOWN_LETTERS} more characters" if len(missing) > SHOWN_LETTERS else ""
        typer.echo(
            f"  the font has no picture of {missing[:SHOWN_LETTERS]}{more}; name another with --font, or write an "
            ".html page"
        )

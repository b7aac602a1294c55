"""The whole export of a run: adapter and merged model, or the whole model; verification, model card."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import files_below, write_text
from sam2vlm.export.adapter import export_adapter, make_readable, require_portable
from sam2vlm.export.fresh_process import verify_in_fresh_process
from sam2vlm.export.merge import export_merged
from sam2vlm.export.model_card import render_model_card
from sam2vlm.export.verify import ADAPTER, MERGED, MODEL, VerificationPlan
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sam2vlm.artifacts import Manifest, RunLayout
    from sam2vlm.modeling.trained import TrainedBase

__all__ = ["Earlier", "package"]


@dataclass(frozen=True, slots=True)
class Earlier:
    """The manifests of the phases before, all their files checked."""

    prepare: Manifest
    train: Manifest
    evaluate: Manifest


def package(
    folder: Path,
    *,
    layout: RunLayout,
    earlier: Earlier,
    base: TrainedBase,
    experiment: str,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Write everything that ``RUN/export`` holds but its manifest.

    Args:
        folder: Where to write.
        layout: The run's paths, from which dataset, adapter or model, and predictions are read.
        earlier: What the phases before say.
        base: The base model.
        experiment: Its name, for the card.
        options: ``license``, ``verify_samples``, ``adapter_text_share``, ``merged_text_share`` and
            ``logits_tolerance``.

    Returns:
        The manifest's facts.

    Raises:
        DataError: Something does not fit, or the reloaded models are not the trained one.
    """
    import torch

    from sam2vlm.modeling.without_video import knows_videos

    name = base.entry.name if base.entry.packaged else str(base.entry.checkpoint)
    dtype = str(earlier.evaluate.facts["dtype"])
    log = get_logger("export")
    if base.whole:
        shutil.copytree(layout.model, folder / MODEL, copy_function=shutil.copyfile)
        log.info("model_written")
    else:
        export_adapter(layout.adapter, folder / ADAPTER, base=name)
        log.info("adapter_written", base=name)
        export_merged(folder / ADAPTER, folder / MERGED, base=base, dtype=getattr(torch, dtype))
        log.info("merged_model_written", dtype=dtype)
    require_portable(folder)
    verified = verify_in_fresh_process(_plan(folder, layout, earlier.evaluate, base, options))
    log.info("verified", **verified)
    facts = {
        "base_model": name,
        "dtype": dtype,
        "verification": verified,
        "processor_of_videos": knows_videos(folder / (MODEL if base.whole else MERGED)),
        "bytes": {part: _size(folder / part) for part in ((MODEL,) if base.whole else (ADAPTER, MERGED))},
    }
    card = render_model_card(
        experiment=experiment,
        base=base.entry,
        license=str(options["license"]),
        prepare=earlier.prepare,
        train=earlier.train,
        evaluate=earlier.evaluate,
        exported=facts,
    )
    write_text(folder / "README.md", card)
    make_readable(folder)
    return facts


def _plan(
    folder: Path, layout: RunLayout, evaluate: Manifest, base: TrainedBase, options: Mapping[str, Any]
) -> VerificationPlan:
    return VerificationPlan(
        export=os.fspath(folder),
        base_name=base.source.name,
        base_folder=os.fspath(base.source.folder),
        class_name=base.entry.class_name,
        dataset=os.fspath(layout.dataset),
        split=str(evaluate.facts["split"]),
        predictions=os.fspath(layout.phase("evaluate") / "predictions" / "tuned.jsonl"),
        samples=int(options["verify_samples"]),
        batch_size=int(evaluate.settings["batch_size"]),
        max_new_tokens=int(evaluate.settings["max_new_tokens"]),
        threads=int(evaluate.settings["threads"]),
        seed=evaluate.seed,
        device=str(evaluate.facts["device"]),
        dtype=str(evaluate.facts["dtype"]),
        adapter_text_share=float(options["adapter_text_share"]),
        merged_text_share=float(options["merged_text_share"]),
        logits_tolerance=float(options["logits_tolerance"]),
        logs=os.fspath(layout.logs),
        whole=base.whole,
    )


def _size(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in files_below(folder))

"""What a run writes: the model's folder as Transformers reads it, and the state to continue from."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, LlavaForConditionalGeneration, LlavaProcessor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_model(
    folder: Path, model: LlavaForConditionalGeneration, processor: LlavaProcessor, scores: Mapping[str, object]
) -> None:
    """Write the complete folder beside its place and move it there at once, so that nobody reads half of one.

    The weights are float16 on disk (half the size, and far finer than they are certain) and float32 when loaded, since
    the configuration says so.
    """
    making = folder.with_name(f".{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    halved = {name: value.detach().half().contiguous() for name, value in model.state_dict().items()}
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=model.config.bos_token_id,
        eos_token_id=model.config.eos_token_id,
        pad_token_id=model.config.pad_token_id,
        do_sample=False,
    )
    model.save_pretrained(making, state_dict=halved)
    processor.save_pretrained(making)
    config = json.loads((making / "config.json").read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    write_json(making / "config.json", config)
    write_json(making / "scores.json", scores)
    for path in making.iterdir():
        # safetensors writes for the owner's eyes only, but a package is read by anybody.
        path.chmod(0o644)
    replaced = folder.with_name(f".{folder.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if folder.exists():
        folder.rename(replaced)
    making.rename(folder)
    shutil.rmtree(replaced, ignore_errors=True)


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write JSON with sorted keys, two spaces and a final newline."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a training state atomically."""
    making = path.with_name(f".{path.name}.making")
    torch.save(dict(state), making)
    making.replace(path)

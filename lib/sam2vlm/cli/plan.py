"""``sam2vlm plan``: memory and time of a training before a GPU is booked."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sam2vlm.config.gpus import Gpu
    from sam2vlm.config.plan import Plan
    from sam2vlm.config.training_config import TrainingConfig

__all__ = ["plan"]

GB = 1e9
MEANING = {
    "weights": "the base, frozen or trained",
    "adapter": "the adapter's own weights",
    "gradients": "of what is trained",
    "optimizer": "AdamW's state, float32 copies, its step",
    "activations": "kept for and used by the backward pass",
    "logits": "the output layer's, and the loss",
    "workspace": "CUDA context, libraries, DeepSpeed's buckets",
}


#: Said of a part that has no byte at the highest moment.
GONE = "none at that moment"


def plan(
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="[PRESET|FILE]", help="A preset's name or a configuration's file; default: the environment."
        ),
    ] = None,
    *,
    model: Annotated[str | None, typer.Option(help="A model of the registry, in place of the configuration's.")] = None,
    gpu: Annotated[str | None, typer.Option(help="A card by name: A100-80GB, L4, RTX 4090, ...")] = None,
    memory_gb: Annotated[
        float | None,
        typer.Option("--memory-gb", min=1, max=10_000, help="A card's memory in GB, in place of its name."),
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option(
            metavar="WxH", help="The pictures' size in pixels; default: one that takes the usual number of tokens."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Simulate a training step of the real model: what it needs, whether it fits, what would make it, how long."""
    from sam2vlm.cli.config import configuration_of_environment, read_configuration
    from sam2vlm.config.plan import make_plan
    from sam2vlm.config.workload import Workload

    card, size = _card(gpu, memory_gb), _size(picture)
    configuration = configuration_of_environment() if which is None else read_configuration(which)
    if model is not None:
        configuration = _with_model(configuration, model)
    # Imported behind the settings: a wrong one is told before torch is loaded.
    from sam2vlm.modeling.determinism import quiet_libraries
    from sam2vlm.modeling.simulation import simulate

    quiet_libraries()
    workload = replace(Workload.of(configuration), picture=size)
    found = make_plan(workload, simulate=simulate, gpu=card)
    refusal = _refusal(configuration)
    if as_json:
        typer.echo(json.dumps({**found.as_json(), "refusal": refusal}, ensure_ascii=False, indent=2))
        return
    _print(which or "the environment", found, epochs=configuration.training.num_epochs)
    if refusal is not None:
        typer.echo(f"The train phase would refuse it: {refusal}")


def _card(name: str | None, memory_gb: float | None) -> Gpu | None:
    from sam2vlm.config.gpus import Gpu, find_gpu
    from sam2vlm.errors import SettingsError

    if name is not None and memory_gb is not None:
        raise SettingsError("a card has a name or a size; give one of --gpu and --memory-gb", field="gpu", found=name)
    if memory_gb is not None:
        return Gpu(name=f"a card of {memory_gb:g} GB", memory_gb=memory_gb, peak_tflops={}, source="the command line")
    return find_gpu(name) if name is not None else None


def _size(picture: str | None) -> tuple[int, int] | None:
    from sam2vlm.errors import SettingsError

    if picture is None:
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", picture)
    if found is None:
        raise SettingsError("is no size", field="picture", expected="width x height, as 1920x1080", found=picture)
    return int(found[1]), int(found[2])


def _with_model(configuration: TrainingConfig, name: str) -> TrainingConfig:
    from pydantic import ValidationError

    from sam2vlm.config import ModelRegistry, TrainingConfig
    from sam2vlm.config.training_config import sentence_of

    ModelRegistry.get(name)  # an unknown one is told with the nearest
    values = configuration.model_dump(mode="json")
    try:
        return TrainingConfig.model_validate({**values, "model": {"name": name}})
    except ValidationError as error:
        raise sentence_of(error, source="--model") from None


def _refusal(configuration: TrainingConfig) -> str | None:
    """Return why this version cannot train what it can plan; None where it can."""
    from sam2vlm.config import refuse_unsupported
    from sam2vlm.errors import SettingsError

    try:
        refuse_unsupported(configuration)
    except SettingsError as error:
        return str(error)
    return None


def _print(title: str, found: Plan, *, epochs: float) -> None:
    from sam2vlm.cli.tables import print_table

    work, needed = found.workload, found.footprint
    rows = [(part, f"{size / GB:.2f}", MEANING[part] if size else GONE) for part, size in needed.parts.items()]
    rows.append(("total", f"{needed.total / GB:.2f}", "on each GPU, at the highest moment of a step"))
    shown = f" of {work.picture[0]} x {work.picture[1]} pixels" if work.picture else ""
    caption = (
        f"{work.model}, {work.method}, {work.precision}: {work.batch_size} {'rows' if work.packed else 'samples'} of "
        f"{work.tokens} tokens, {needed.image_tokens} of them {'a' if work.packed else 'the'} picture's{shown}, "
        f"{needed.trained:,} of {needed.parameters:,} weights trained, {needed.flops / 1e12:.1f} TFLOP a micro-batch."
    )
    print_table(f"Memory in GB: {title}", ("Part", "GB", "What it is"), rows, caption=caption)
    for line in _sentences(found, epochs=epochs):
        typer.echo(line)


def _sentences(found: Plan, *, epochs: float) -> list[str]:
    if found.gpu is None:
        cards = ", ".join(found.fitting) or "no known card; shard it over several or lower the batch"
        return [f"Fits, with a tenth to spare: {cards}. Name one with --gpu for more."]
    name, memory = found.gpu.name, found.gpu.memory_gb
    lines = [f"{name} ({memory:g} GB): {'fits' if found.fits else 'does NOT fit'}, a tenth kept free."]
    if found.largest_batch:
        lines.append(f"Largest micro-batch that fits: {found.largest_batch}.")
    if found.change is not None:
        settings = ", ".join(f"{key}={value}" for key, value in found.change.settings.items())
        lines.append(f"To fit: {settings} ({found.change.total_bytes / GB:.2f} GB; {found.change.cost}).")
    elif not found.fits:
        lines.append("No change of the settings makes it fit; take a larger card or a smaller model.")
    if found.samples_per_second is not None:
        hours = 1000 * epochs / found.samples_per_second / found.workload.processes / 3600
        peak = found.gpu.peak_tflops[found.workload.precision]
        lines.append(
            f"Time: {hours:.2f} h for 1,000 samples and {epochs:g} epochs ({found.samples_per_second:.2f} samples/s a "
            f"GPU), at {found.efficiency:.0%} of {peak:g} TFLOP/s ({found.gpu.source})."
        )
    return lines

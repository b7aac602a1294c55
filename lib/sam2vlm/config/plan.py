"""The plan: does it fit, how large may a micro-batch be, what would make it fit, how long will it take.

Everything here is arithmetic over footprints; :func:`sam2vlm.modeling.simulation.simulate` makes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sam2vlm.config.gpus import Gpu, gpus
from sam2vlm.config.memory import HEADROOM
from sam2vlm.config.training_config import TEXT_TOKENS
from sam2vlm.config.workload import Footprint, Workload
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EFFICIENCY", "Change", "Plan", "cheapest_change", "largest_micro_batch", "make_plan", "speed_of"]

#: Share of a card's stated peak that training reaches: 38 to 43 % on H100 (Llama 3, Grattafiori et al. 2024, table 4).
EFFICIENCY = 0.4
MOST = 1024
#: ZeRO's stages in the order in which they are tried: optimizer and gradients, then also the weights.
SHARDING = (2, 3)

Simulate = Callable[[Workload], Footprint]


@dataclass(frozen=True, slots=True)
class Change:
    """Settings to change so that it fits, by their names in a configuration, and what that costs."""

    settings: dict[str, Any]
    cost: str
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training needs on each GPU, and what follows from it for a card.

    Attributes:
        workload: What was simulated.
        footprint: Bytes by part and operations.
        gpu: The card it was held against; None where none was named.
        fits: Whether it fits with a tenth of the card to spare; None without a card.
        largest_batch: The largest micro-batch that does; 0 where not even one sample fits; None without a card.
        change: The cheapest change that makes it fit; None where it fits, or where none does.
        samples_per_second: Of one GPU, at the assumed efficiency; None where the card's peak is not known.
        efficiency: The assumed share of the stated peak.
        fitting: The names of the known cards that have its arithmetic and hold it.
    """

    workload: Workload
    footprint: Footprint
    gpu: Gpu | None = None
    fits: bool | None = None
    largest_batch: int | None = None
    change: Change | None = None
    samples_per_second: float | None = None
    efficiency: float = EFFICIENCY
    fitting: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON values; bytes and operations are whole numbers."""
        found = self.footprint
        return {
            "workload": asdict(self.workload),
            "bytes": {**found.parts, "total": found.total},
            "image_tokens": found.image_tokens,
            "flops_per_micro_batch": found.flops,
            "parameters": found.parameters,
            "trained_parameters": found.trained,
            "gpu": self.gpu.model_dump(mode="json") if self.gpu else None,
            "fits": self.fits,
            "headroom": HEADROOM,
            "largest_micro_batch": self.largest_batch,
            "change": asdict(self.change) if self.change else None,
            "assumed_efficiency": self.efficiency,
            "samples_per_second": self.samples_per_second,
            "fitting_gpus": list(self.fitting),
        }


def make_plan(
    workload: Workload, *, simulate: Simulate, gpu: Gpu | None = None, efficiency: float = EFFICIENCY
) -> Plan:
    """Make the plan of a training step.

    Args:
        workload: The step.
        simulate: What makes a footprint of a workload.
        gpu: The card to hold it against.
        efficiency: Share of the card's stated peak.

    Raises:
        SettingsError: The card has no such arithmetic.
    """
    if gpu is not None and gpu.peak_tflops and workload.precision not in gpu.peak_tflops:
        raise SettingsError(
            f"{gpu.name} has no {workload.precision} arithmetic",
            field="devices.precision",
            expected=" or ".join(gpu.peak_tflops),
            found=workload.precision,
        )
    found = simulate(workload)
    fitting = tuple(
        card.name
        for card in gpus()
        if workload.precision in card.peak_tflops and found.total <= card.memory_bytes * HEADROOM
    )
    if gpu is None:
        return Plan(workload, found, efficiency=efficiency, fitting=fitting)
    usable = gpu.memory_bytes * HEADROOM
    fits = found.total <= usable
    return Plan(
        workload,
        found,
        gpu=gpu,
        fits=fits,
        largest_batch=largest_micro_batch(workload, simulate=simulate, usable=usable),
        change=None if fits else cheapest_change(workload, simulate=simulate, usable=usable),
        samples_per_second=speed_of(workload, found, gpu, efficiency=efficiency),
        efficiency=efficiency,
        fitting=fitting,
    )


def speed_of(workload: Workload, found: Footprint, gpu: Gpu, *, efficiency: float = EFFICIENCY) -> float | None:
    """Return the samples a second of one GPU; None where its peak in this arithmetic is not known.

    Args:
        workload: The step.
        found: Its operations.
        gpu: The card.
        efficiency: Share of the card's stated peak.
    """
    peak = gpu.peak_tflops.get(workload.precision)
    return peak * 1e12 * efficiency * workload.samples / found.flops if peak else None


def largest_micro_batch(workload: Workload, *, simulate: Simulate, usable: float) -> int:
    """Return the largest number of samples in a forward pass that fits, 0 where none does, by bisection.

    Memory is nearly a straight line over the batch, so that the first guess lies on the line through two points;
    what is returned was simulated, and so was the next larger one, which does not fit.

    Args:
        workload: The step; its own batch is where the search starts.
        simulate: What makes a footprint of a workload.
        usable: Bytes that may be used on the card.
    """

    def needed(batch: int) -> int:
        return simulate(_with_batch(workload, batch)).total

    first, second = needed(1), needed(max(2, workload.batch_size))
    if first > usable:
        return 0
    slope = max(1.0, (second - first) / (max(2, workload.batch_size) - 1))
    guess = 1 + int((usable - first) / slope)
    low, high = 1, MOST + 1
    while high - low > 1:
        middle = min(max(guess, low + 1), high - 1)
        if needed(middle) <= usable:
            low, guess = middle, middle + 1
        else:
            high, guess = middle, middle - 1
        if low + 1 < guess < high - 1:
            guess = (low + high) // 2
    return low


def cheapest_change(workload: Workload, *, simulate: Simulate, usable: float) -> Change | None:
    """Return the first rung of a ladder that fits, cheapest first; None where the last one does not.

    Smaller micro-batches with as many more of them cost nothing in quality and little time; checkpointing a third
    of the time; sharding traffic; an adapter or four bits another result; a shorter limit samples. Only what this
    version's trainer can do is proposed. Each rung keeps those before it.

    Args:
        workload: The step that does not fit.
        simulate: What makes a footprint of a workload.
        usable: Bytes that may be used on the card.
    """
    settings: dict[str, Any] = {}
    pictures = simulate(workload).image_tokens
    for changed, names, cost in _rungs(workload, least=pictures + TEXT_TOKENS):
        settings |= names
        # One sample first: where that does not fit, no other batch of this rung need be tried.
        if simulate(_split(changed, 1)).total > usable:
            continue
        for batch in _divisors(workload.batch_size):
            tried = _split(changed, batch)
            total = simulate(tried).total
            if total <= usable:
                return Change({**settings, **_batch_settings(workload, tried)}, cost, total)
    return None


def _rungs(workload: Workload, *, least: int) -> Iterator[tuple[Workload, dict[str, Any], str]]:
    yield workload, {}, "the same result; smaller products use a card a little less well"
    if not workload.gradient_checkpointing:
        workload = replace(workload, gradient_checkpointing=True)
        yield workload, {"devices.gradient_checkpointing": True}, "the same result, a third slower"
    for stage in SHARDING:
        if workload.processes > 1 and workload.zero_stage < stage:
            workload = replace(workload, zero_stage=stage)
            yield workload, {"devices.zero_stage": stage}, "the same result, more traffic between processes"
    if not workload.adapted:
        workload = replace(workload, method="lora", learning=None)
        yield workload, {"training.method": "lora"}, "an adapter in place of whole weights: another result"
    if workload.method == "lora":
        # Weights in four bits are not sharded (sam2vlm.config.support).
        stage = min(workload.zero_stage, SHARDING[0])
        names = {"training.method": "qlora"} | ({"devices.zero_stage": stage} if stage < workload.zero_stage else {})
        workload = replace(workload, method="qlora", zero_stage=stage, offload_weights=False)
        yield workload, names, "frozen weights in four bits: another result, slower"
    while workload.tokens // 2 >= least:
        workload = replace(workload, tokens=workload.tokens // 2)
        yield workload, {"data.max_length": workload.tokens}, "longer samples are left out"


def _with_batch(workload: Workload, batch: int) -> Workload:
    return replace(workload, batch_size=batch, padded=batch > 1 or workload.packed)


def _split(workload: Workload, batch: int) -> Workload:
    """Make a micro-batch smaller and their number larger, so that a step sees the same samples."""
    times = workload.batch_size // batch
    return replace(_with_batch(workload, batch), accumulation=workload.accumulation * times)


def _divisors(number: int) -> list[int]:
    return [size for size in range(number, 0, -1) if number % size == 0]


def _batch_settings(before: Workload, after: Workload) -> dict[str, int]:
    if after.batch_size == before.batch_size:
        return {}
    return {
        "training.batch_size": after.batch_size,
        "training.gradient_accumulation_steps": after.accumulation,
    }

"""The graphics cards by name: memory and stated peak. They are data, with their sources: ``gpus.json`` beside this."""

from __future__ import annotations

import difflib
import functools
import json
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from sam2vlm.errors import SettingsError

__all__ = ["GB", "Gpu", "find_gpu", "gpus"]

#: As makers of cards count: bytes in one.
GB = 1e9


class Gpu(BaseModel):
    """One card.

    Attributes:
        name: What people call it.
        memory_gb: Nominal memory in 10^9 bytes.
        peak_tflops: Its maker's dense peak in 10^12 operations a second, by precision; a precision that is not
            there is one that it does not have. Empty where only the memory is known.
        source: Where the figures are from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    memory_gb: float = Field(gt=0)
    peak_tflops: dict[str, float]
    source: str

    @property
    def memory_bytes(self) -> float:
        """Its memory in bytes."""
        return self.memory_gb * GB


@functools.cache
def gpus() -> tuple[Gpu, ...]:
    """Return the known cards, in the order of the file."""
    raw = json.loads(files("sam2vlm.config").joinpath("gpus.json").read_text(encoding="utf-8"))
    return tuple(Gpu.model_validate(values) for values in raw["gpus"])


def find_gpu(name: str) -> Gpu:
    """Return a card by its name; case, blanks and dashes do not count, and a maker's longer name is understood.

    Raises:
        SettingsError: There is no such card, or several; their names are told.
    """
    by_name = {_plain(gpu.name): gpu for gpu in gpus()}
    asked = _plain(name)
    if asked in by_name:
        return by_name[asked]
    # "NVIDIA A100-SXM4-80GB" and "a100" hold each a part of the other; "a10" must not be found in "a100".
    begun = [gpu for plain, gpu in by_name.items() if asked and plain.startswith(asked)]
    if len(begun) == 1:
        return begun[0]
    close = [gpu.name for gpu in begun] or difflib.get_close_matches(name.upper(), [gpu.name for gpu in gpus()], n=2)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(gpu.name for gpu in gpus())}"
    raise SettingsError(f"there is no such card; {hint}; or give --memory-gb", field="gpu", found=name)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum()).removeprefix("nvidia").removeprefix("geforce")

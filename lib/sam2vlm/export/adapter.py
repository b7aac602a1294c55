"""The trained adapter as a folder that works anywhere."""

from __future__ import annotations

import json
import shutil
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import canonical_json, files_below, write_text
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["export_adapter", "make_readable", "require_portable"]

CONFIG = "adapter_config.json"
# Words of the vocabulary look like paths now and then.
NOT_CONFIGURATION = ("tokenizer.json", "vocab.json", "*.safetensors.index.json")
READABLE = 0o644


def export_adapter(trained: Path, target: Path, *, base: str) -> None:
    """Copy an adapter with its processor and chat template; only the base model's name is set.

    Args:
        trained: ``RUN/train/adapter``.
        target: Where to write; must not exist.
        base: What the adapter's configuration shall call its base: an id that PEFT finds on the hub, or the
            registry's name.

    Raises:
        DataError: The folder holds no adapter, or its configuration is not JSON.
    """
    try:
        config = json.loads((trained / CONFIG).read_text(encoding="utf-8"))
        shutil.copytree(trained, target, copy_function=shutil.copyfile)
    except FileNotFoundError:
        raise DataError("is missing", source=trained / CONFIG, expected="an adapter in PEFT's layout") from None
    except ValueError as error:
        raise DataError("is not JSON", source=trained / CONFIG, found=error) from None
    write_text(target / CONFIG, canonical_json({**config, "base_model_name_or_path": base}))


def require_portable(folder: Path) -> None:
    """Check that no configuration below a folder names a path of this machine.

    Raises:
        DataError: The first that does.
    """
    for name in files_below(folder, exclude=NOT_CONFIGURATION):
        if name.endswith(".json"):
            values = json.loads((folder / name).read_text(encoding="utf-8"))
            for field, text in _texts(values, ""):
                if PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute():
                    raise DataError(
                        "names a path of this machine", source=name, field=field, expected="a name", found=text
                    )


def make_readable(folder: Path) -> None:
    """Let everybody read what is exported: safetensors writes files that only their owner may read."""
    for name in files_below(folder):
        (folder / name).chmod(READABLE)


def _texts(value: Any, field: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{field}.{key}" if field else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, f"{field}[{number}]")

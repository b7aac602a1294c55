"""Where a base model's files are, and a digest of them. Needs no torch, so that a finished phase can say so at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sam2vlm.artifacts import digest_of_file, digest_of_value, files_below
from sam2vlm.errors import InterruptedRunError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ModelSource", "find_model"]

PACKAGED = "package:"
# Weights in safetensors, configurations, tokenizer, chat template. Never a pickle, never Python.
WANTED = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model")
BLOB = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A base model on this machine.

    Attributes:
        name: What people call it, for manifests and for the adapter's configuration; never an absolute path.
        folder: Its files in Transformers' layout.
        digest: SHA-256 over the names and contents of the files that are read.
    """

    name: str
    folder: Path
    digest: str


def find_model(name: str, *, checkpoint: str) -> ModelSource:
    """Find a model's files; those of a hub model are downloaded where the hub can be reached.

    Args:
        name: The model's registry name.
        checkpoint: A hub id, ``package:<path>`` for one inside of this package, or a local folder.

    Raises:
        SettingsError: There is no such folder, it holds no model, or the hub refuses or does not know it.
        InterruptedRunError: The hub did not answer; a retry may help.
    """
    folder = _folder_of(name, checkpoint)
    for needed in ("config.json", "*.safetensors"):
        if not any(folder.glob(needed)):
            raise SettingsError(
                "is not a model in Transformers' layout", source=name, field="model", expected=needed, found="none"
            )
    return ModelSource(name=name, folder=folder, digest=_digest(folder))


def _folder_of(name: str, checkpoint: str) -> Path:
    if checkpoint.startswith(PACKAGED):
        folder = Path(str(files("sam2vlm"))) / checkpoint.removeprefix(PACKAGED)
    elif Path(checkpoint).is_dir():
        folder = Path(checkpoint)
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", checkpoint):
        folder = _from_hub(name, checkpoint)
    else:
        folder = Path(checkpoint)
    if not folder.is_dir():
        raise SettingsError("there is no such model folder", source=name, field="model", found=checkpoint)
    return folder


def _from_hub(name: str, repository: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        return Path(snapshot_download(repository, allow_patterns=list(WANTED)))
    except GatedRepoError:
        raise SettingsError(
            "is gated on the hub: accept its licence there and give a token in HF_TOKEN", source=name, field="model"
        ) from None
    except RepositoryNotFoundError:
        raise SettingsError("the hub has no such model, or it is private", source=name, found=repository) from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise _not_reached(name, repository)(error) from None
    except (HfHubHTTPError, OSError) as error:
        raise InterruptedRunError(f"the hub did not deliver the model: {error}", source=name) from None


def _not_reached(name: str, repository: str) -> Callable[[Exception], SettingsError | InterruptedRunError]:
    from huggingface_hub.constants import HF_HUB_OFFLINE

    def as_ours(_error: Exception) -> SettingsError | InterruptedRunError:
        if HF_HUB_OFFLINE:
            return SettingsError(
                "is not in the local cache and HF_HUB_OFFLINE forbids to download it",
                source=name,
                field="model",
                expected=f"{repository} below HF_HOME",
            )
        return InterruptedRunError("the hub cannot be reached and the model is not in the local cache", source=name)

    return as_ours


def _digest(folder: Path) -> str:
    """Digest the files that are read.

    In the hub's cache a file is a link to a blob that is named by its content's own digest (SHA-256 for large
    files, git's for small ones), which spares reading tens of gigabytes.
    """
    names = [name for name in files_below(folder) if any(Path(name).match(pattern) for pattern in WANTED)]
    return digest_of_value({name: _content(folder / name) for name in names})


def _content(path: Path) -> str:
    blob = path.resolve().name
    return blob if path.is_symlink() and BLOB.fullmatch(blob) else digest_of_file(path)

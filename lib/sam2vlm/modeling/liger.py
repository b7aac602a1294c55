"""Fused kernels of the liger-kernel package, put into a model where there are a GPU, the package and a patch for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers.integrations.liger import apply_liger_kernel
from transformers.utils.import_utils import is_liger_kernel_available

from sam2vlm.config.device_config import Liger
from sam2vlm.errors import SettingsError
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["fuse_kernels", "require_kernels"]


def require_kernels(wish: Liger) -> None:
    """Refuse kernels that this machine cannot have, before a model is loaded for them.

    Raises:
        SettingsError: They are asked for, and the GPU or the package is missing.
    """
    _refuse(wish, _missing_here())


def fuse_kernels(model: PreTrainedModel, wish: Liger) -> bool:
    """Put the kernels into a model, before an adapter is and before anybody asks what its forward pass takes.

    They compute the loss without keeping logits, and norms, rotations and the feed-forward block in one pass each.

    Args:
        model: Of one of Transformers' classes.
        wish: Whether to; with ``auto`` the log says what came of it.

    Returns:
        Whether they are in it.

    Raises:
        SettingsError: They are asked for and cannot be had.
    """
    if wish is Liger.OFF:
        return False
    kind, log = str(model.config.model_type), get_logger("liger")
    reason = _missing_here() or _unknown(kind) or _put_in(model)
    _refuse(wish, reason)
    log.info("fused_kernels", used=reason is None, family=kind, **({"reason": reason} if reason else {}))
    return reason is None


def _refuse(wish: Liger, reason: str | None) -> None:
    if wish is Liger.ON and reason is not None:
        raise SettingsError(f"{reason}; set it to auto or off", field="devices.liger", found=wish.value)


def _missing_here() -> str | None:
    if not torch.cuda.is_available():
        return "fused kernels run on a CUDA GPU, and this machine has none"
    return None if is_liger_kernel_available() else "the liger-kernel package is not installed"


def _unknown(kind: str) -> str | None:
    from liger_kernel.transformers.monkey_patch import MODEL_TYPE_TO_APPLY_LIGER_FN

    # Transformers leaves such a model as it is and says nothing.
    return None if kind in MODEL_TYPE_TO_APPLY_LIGER_FN else f"the liger-kernel package has no kernels for {kind}"


def _put_in(model: PreTrainedModel) -> str | None:
    try:
        apply_liger_kernel(model, None)  # type: ignore[no-untyped-call]
    except ImportError as error:
        # Its module for a family asks for names that Transformers has given up: 0.8.5 does so for Qwen's.
        return f"the installed liger-kernel package does not fit the installed Transformers ({error.msg})"
    return None

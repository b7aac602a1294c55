"""Load a vision-language model and its processor, strictly: every weight is there, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoProcessor, PretrainedConfig, PreTrainedModel, ProcessorMixin

from sam2vlm.errors import DataError, SettingsError
from sam2vlm.modeling.attention import attention_of
from sam2vlm.modeling.prefixed_questions import give_template
from sam2vlm.modeling.quantization import four_bit_options, keep_exact
from sam2vlm.modeling.without_video import load_without_video, processor_class

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from sam2vlm.modeling.source import ModelSource

__all__ = ["load_for_answers", "load_model", "load_processor", "read_config"]


def load_model(
    source: ModelSource, *, class_name: str, dtype: torch.dtype, attention: str = "sdpa", four_bits: bool = False
) -> PreTrainedModel:
    """Load a base model from safetensors. Code that comes with a model is never run.

    Args:
        source: Where it is.
        class_name: The class that the registry says it has.
        dtype: Of the weights.
        attention: Transformers' attention implementation.
        four_bits: Hold the language model's linear layers in NF4; see :mod:`sam2vlm.modeling.quantization`.

    Raises:
        SettingsError: The folder holds another kind of model, it cannot compute attention so, or four bits are asked
            for without bitsandbytes.
        DataError: A weight is missing, unexpected or of another shape.
    """
    config = read_config(source.folder, name=source.name, class_name=class_name)
    model_class = getattr(transformers, class_name)
    options = four_bit_options(model_class, config, dtype) if four_bits else {}
    try:
        model, report = model_class.from_pretrained(
            source.folder,
            config=config,
            dtype=dtype,
            attn_implementation=attention_of(config, asked=attention),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
    except (OSError, RuntimeError, SafetensorError, ValueError) as error:
        raise DataError(f"the model's weights cannot be read: {error}", source=source.name) from None
    _require_whole(source.name, report)
    _forget_unused_names(model)
    if four_bits:
        keep_exact(model)
    # PEFT writes this into the adapter's configuration: a path of this machine would be of no use elsewhere.
    model.name_or_path = source.name
    model.config._name_or_path = source.name  # noqa: SLF001  the field that save_pretrained reads
    model.config.use_cache = False
    assert isinstance(model, PreTrainedModel)  # noqa: S101  told to mypy; the class is one of Transformers'
    return model


def load_for_answers(
    source: ModelSource, *, class_name: str, dtype: torch.dtype, device: torch.device
) -> PreTrainedModel:
    """Load a model to be asked, on a device and in evaluation mode.

    Args:
        source: Where it is.
        class_name: The class that the registry says it has.
        dtype: Of the weights.
        device: Where it is to run.

    Raises:
        SettingsError: As :func:`load_model`.
        DataError: As :func:`load_model`.
    """
    model = load_model(source, class_name=class_name, dtype=dtype)
    model.to(device)  # type: ignore[arg-type]  # a decorator of Transformers hides the signature
    model.eval()  # type: ignore[no-untyped-call]  # it has no annotations
    return model


def load_processor(folder: Path, *, name: str) -> ProcessorMixin:
    """Load a model's processor, with the picture processor that is the same on every machine.

    Transformers takes torchvision's resize where that package is installed and Pillow's elsewhere; the two give
    different pixels, so Pillow's is asked for.

    Args:
        folder: Where it is.
        name: The model's name, for messages.

    Raises:
        SettingsError: There is no processor for pictures with a tokenizer and a chat template.
    """
    try:
        processor = _processor(folder)
    except (ImportError, OSError, ValueError, KeyError) as error:
        raise SettingsError("its processor cannot be loaded", source=name, field="model", found=error) from None
    give_template(processor)
    missing = [part for part in ("image_processor", "tokenizer", "chat_template") if not getattr(processor, part, None)]
    if missing or not isinstance(processor, ProcessorMixin):
        raise SettingsError(
            "is not the processor of a vision-language model",
            source=name,
            field="model",
            expected="image processor, tokenizer and chat template",
            found=f"no {missing[0].replace('_', ' ')}" if missing else type(processor).__name__,
        )
    tokenizer: Any = processor.tokenizer
    if tokenizer.eos_token_id is None:
        raise SettingsError("its tokenizer has no end token, so no answer could ever end", source=name, field="model")
    return processor


def _processor(folder: Path) -> Any:
    kind = processor_class(folder)
    if kind is not None and "video_processor" in kind.get_attributes():
        return load_without_video(folder, kind)
    loader: Any = AutoProcessor  # carries no types
    return loader.from_pretrained(folder, backend="pil", trust_remote_code=False, local_files_only=True)


def read_config(folder: Path, *, name: str, class_name: str) -> PretrainedConfig:
    """Read a model's configuration; no weight is looked at.

    Args:
        folder: Where it is.
        name: The model's name, for messages.
        class_name: The class that the registry says it has.

    Raises:
        SettingsError: It cannot be read, or is that of another kind of model.
    """
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError) as error:
        raise SettingsError("its configuration cannot be read", source=name, field="model", found=error) from None
    assert isinstance(config, PretrainedConfig)  # noqa: S101  told to mypy
    _require_class(name, config, class_name)
    return config


def _forget_unused_names(model: Any) -> None:
    """Have a model be saved by the names that its own files have.

    Transformers 5.23 keeps those of its renamings that matched a name while it loaded, and takes them back when it
    saves; with weights that DeepSpeed shards it keeps all, and what it then saves has names that no file had.
    """
    used = getattr(model, "_weight_conversions", None)
    if used is not None:
        model._weight_conversions = [conversion for conversion in used if conversion.was_used()]  # noqa: SLF001


def _require_class(name: str, config: PretrainedConfig, class_name: str) -> None:
    found = list(config.architectures or [])
    if getattr(config, "vision_config", None) is None:
        raise SettingsError(
            "is not a vision-language model", source=name, field="model", expected=class_name, found=found
        )
    if class_name not in found:
        raise SettingsError(
            "the model is of another class than its type", source=name, expected=class_name, found=found
        )


def _require_whole(name: str, report: dict[str, Any]) -> None:
    for field in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        keys = sorted(map(str, report.get(field) or ()))
        if keys:
            raise DataError(
                "the weights do not fit the model",
                source=name,
                field=field,
                expected="none",
                found=f"{len(keys)}: {', '.join(keys)}",
            )

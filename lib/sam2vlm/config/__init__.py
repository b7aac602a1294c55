"""What a run is made of: configuration, presets, models, memory. No torch in here."""

from sam2vlm.config.hyperparameters import (
    Attention,
    CheckpointConfig,
    DeviceConfig,
    FullConfig,
    LoRAConfig,
    Precision,
    ProjectorTraining,
    Scheduler,
    TrackingConfig,
    TrainingHyperparameters,
    TrainingMethod,
)
from sam2vlm.config.memory import estimate_memory
from sam2vlm.config.model_registry import BoxConvention, ModelEntry, ModelRegistry, ModelType
from sam2vlm.config.presets import ConfigPresets
from sam2vlm.config.support import refuse_model, refuse_unsupported
from sam2vlm.config.training_config import DataConfig, ModelConfig, TrainingConfig, sentence_of

__all__ = [
    "Attention",
    "BoxConvention",
    "CheckpointConfig",
    "ConfigPresets",
    "DataConfig",
    "DeviceConfig",
    "FullConfig",
    "LoRAConfig",
    "ModelConfig",
    "ModelEntry",
    "ModelRegistry",
    "ModelType",
    "Precision",
    "ProjectorTraining",
    "Scheduler",
    "TrackingConfig",
    "TrainingConfig",
    "TrainingHyperparameters",
    "TrainingMethod",
    "estimate_memory",
    "refuse_model",
    "refuse_unsupported",
    "sentence_of",
]

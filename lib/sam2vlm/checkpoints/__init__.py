"""Checkpoints on the volume: written whole or not at all, checked before they are read, the best and newest kept."""

from sam2vlm.checkpoints.best_model_tracker import BestModelTracker
from sam2vlm.checkpoints.checkpoint_manager import Checkpoint, CheckpointManager, CheckpointManifest

__all__ = ["BestModelTracker", "Checkpoint", "CheckpointManager", "CheckpointManifest"]

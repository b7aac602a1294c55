"""What a run leaves to look at: figures as JSON lines, TensorBoard events, plots, and progress on the terminal."""

from sam2vlm.tracking.metrics import MetricsLog, read_metrics
from sam2vlm.tracking.plots import plot_losses
from sam2vlm.tracking.progress import TrainingProgress
from sam2vlm.tracking.tensorboard import TensorBoardLog

__all__ = ["MetricsLog", "TensorBoardLog", "TrainingProgress", "plot_losses", "read_metrics"]

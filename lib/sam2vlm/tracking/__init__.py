"""What a run leaves to look at: figures as JSON lines, TensorBoard events, plots, and progress on the terminal."""

from sam2vlm.tracking.metrics import MetricsLog, read_metrics
from sam2vlm.tracking.plots import OPTIMIZATION, SPEED, plot_losses, plot_panels
from sam2vlm.tracking.progress import TrainingProgress
from sam2vlm.tracking.tensorboard import TensorBoardLog
from sam2vlm.tracking.throughput import Throughput

__all__ = [
    "OPTIMIZATION",
    "SPEED",
    "MetricsLog",
    "TensorBoardLog",
    "Throughput",
    "TrainingProgress",
    "plot_losses",
    "plot_panels",
    "read_metrics",
]

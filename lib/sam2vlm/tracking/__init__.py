"""What a run leaves to look at: figures as JSON lines, TensorBoard, plots, other trackers, progress on the terminal."""

from sam2vlm.tracking.metrics import MetricsLog, read_metrics
from sam2vlm.tracking.plots import OPTIMIZATION, PREDICTIONS, SPEED, plot_losses, plot_panels
from sam2vlm.tracking.predictions import SamplePrediction
from sam2vlm.tracking.progress import TrainingProgress
from sam2vlm.tracking.tensorboard import TensorBoardLog
from sam2vlm.tracking.throughput import Throughput
from sam2vlm.tracking.trackers import Trackers, open_trackers, require_trackers

__all__ = [
    "OPTIMIZATION",
    "PREDICTIONS",
    "SPEED",
    "MetricsLog",
    "SamplePrediction",
    "TensorBoardLog",
    "Throughput",
    "Trackers",
    "TrainingProgress",
    "open_trackers",
    "plot_losses",
    "plot_panels",
    "read_metrics",
    "require_trackers",
]

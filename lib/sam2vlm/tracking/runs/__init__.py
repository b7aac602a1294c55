"""Runs that lie on a volume: found, read, shown and held against each other. Needs neither torch nor a GPU."""

from sam2vlm.tracking.runs.comparison import Comparison, compare_runs
from sam2vlm.tracking.runs.finding import TornRun, find_runs
from sam2vlm.tracking.runs.record import RunRecord, Standing, read_run

__all__ = ["Comparison", "RunRecord", "Standing", "TornRun", "compare_runs", "find_runs", "read_run"]

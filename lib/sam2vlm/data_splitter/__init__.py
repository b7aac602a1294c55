"""Train, val and test: stratified over all labels, by time, by group, or at random; never by hash order or chance."""

from sam2vlm.data_splitter.auto_splitter import AutoSplitter
from sam2vlm.data_splitter.making import make_splitter
from sam2vlm.data_splitter.random_splitter import RandomSplitter
from sam2vlm.data_splitter.split_config import SPLITS, SplitConfig, SplitResult, SplitStrategy
from sam2vlm.data_splitter.splitter import Splitter
from sam2vlm.data_splitter.stratified_splitter import StratifiedSplitter
from sam2vlm.data_splitter.temporal_splitter import SPLIT_GAP, TemporalSplitter

__all__ = [
    "SPLITS",
    "SPLIT_GAP",
    "AutoSplitter",
    "RandomSplitter",
    "SplitConfig",
    "SplitResult",
    "SplitStrategy",
    "Splitter",
    "StratifiedSplitter",
    "TemporalSplitter",
    "make_splitter",
]

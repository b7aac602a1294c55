"""From settings to the splitter that fulfils them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.data_splitter.auto_splitter import AutoSplitter
from sam2vlm.data_splitter.random_splitter import RandomSplitter
from sam2vlm.data_splitter.split_config import SplitConfig, SplitStrategy
from sam2vlm.data_splitter.stratified_splitter import StratifiedSplitter
from sam2vlm.data_splitter.temporal_splitter import TemporalSplitter

if TYPE_CHECKING:
    from sam2vlm.data_splitter.splitter import Splitter

__all__ = ["make_splitter"]

_SPLITTERS: dict[SplitStrategy, type[Splitter]] = {
    SplitStrategy.AUTO: AutoSplitter,
    SplitStrategy.STRATIFIED: StratifiedSplitter,
    SplitStrategy.TEMPORAL: TemporalSplitter,
    SplitStrategy.RANDOM: RandomSplitter,
}


def make_splitter(config: SplitConfig) -> Splitter:
    """Return the splitter of the configuration's strategy."""
    return _SPLITTERS[config.strategy](config)

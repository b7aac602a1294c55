"""From a model's name to batches: where its files are, model and processor, targets, samples, adapter.

Nothing is imported here: :mod:`sam2vlm.modeling.source` has to answer without torch.
"""

from __future__ import annotations

__all__: list[str] = []

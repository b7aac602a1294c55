"""From a model's name to batches: where its files are, model and processor, targets, samples, adapter.

No library is imported here: :mod:`sam2vlm.modeling.source` has to answer without torch.
"""

from __future__ import annotations

import logging

__all__: list[str] = []

# PEFT imports bitsandbytes wherever it is installed, and that advises at every import to install another package.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

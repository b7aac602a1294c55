"""One training step of the real model on torch's meta device: shapes and storages without numbers."""

from sam2vlm.modeling.simulation.architecture import can_simulate
from sam2vlm.modeling.simulation.ledger import PARTS, StorageLedger
from sam2vlm.modeling.simulation.step import simulate, simulate_lengths

__all__ = ["PARTS", "StorageLedger", "can_simulate", "simulate", "simulate_lengths"]

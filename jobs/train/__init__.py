"""The second phase: an adapter is trained on the train split, and the best of its checkpoints is kept."""

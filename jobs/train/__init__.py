"""The second phase: an adapter, or the model itself, learns from the train split, and the best checkpoint is kept."""

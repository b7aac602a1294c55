"""One training done three ways: by the train phase, by a bare PyTorch loop, and by TRL in its own environment."""

"""What a model says about the test split, read back into frame pixels and scored."""

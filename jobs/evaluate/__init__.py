"""The third phase: the base and the tuned model answer the test split's questions, and the answers are scored."""

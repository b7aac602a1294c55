"""The first phase: an export is read, checked, split and written as datasets."""

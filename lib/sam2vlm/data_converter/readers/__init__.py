"""One reader for each way in which an export is laid out; all give the same frames."""

"""The corpus of broken exports: each made by a script from a small good one, with what prepare has to say about it."""

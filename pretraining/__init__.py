"""Pre-training of the tiny LLaVA that the package carries, from nothing, on generated pictures of generic shapes.

Run it as ``python -m pretraining --out DIR --seed 0 --steps N``; what came of it is told in the model's own README.md.
"""

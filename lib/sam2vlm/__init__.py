"""sam2vlm: from a SAM 2 mask export to a fine-tuned, evaluated and packaged vision-language model."""

__all__ = ["__version__"]

__version__ = "0.1.0"

"""From exports of segmentation tools to datasets that vision-language models are trained on."""

from sam2vlm.data_converter.huggingface_converter import HuggingFaceConverter
from sam2vlm.data_converter.llava_converter import LLaVAConverter
from sam2vlm.data_converter.sam2_parser import ParsedExport, SAM2Parser

__all__ = ["HuggingFaceConverter", "LLaVAConverter", "ParsedExport", "SAM2Parser"]

"""What training will see of a dataset: pictures with their objects, and the conversations beside them."""

from sam2vlm.modeling.preview.page import preview_page
from sam2vlm.modeling.preview.samples import PreviewSample, choose_samples
from sam2vlm.modeling.preview.sheet import preview_sheet

__all__ = ["PreviewSample", "choose_samples", "preview_page", "preview_sheet"]

"""The data report as one self-contained HTML page."""

from sam2vlm.validation.html_report.gallery import PictureLimits
from sam2vlm.validation.html_report.page import page_environment, render_page, render_report

__all__ = ["PictureLimits", "page_environment", "render_page", "render_report"]

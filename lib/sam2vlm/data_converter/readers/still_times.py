"""When a frame was taken where its export does not say."""

from __future__ import annotations

__all__ = ["STILLS_FPS", "VIDEO_FPS", "time_note"]

#: Of folders of numbered frames: DAVIS's own rate.
VIDEO_FPS = 24.0
#: Of pictures that need not be a video's.
STILLS_FPS = 1.0


def time_note(told: float | None, assumed: float) -> str:
    """Return the sentence about the frames' times.

    Args:
        told: Frames a second by the setting; None where it is not set.
        assumed: What was used then.
    """
    if told is not None:
        return f"Timestamps are the frame indices at {told:g} frames a second, as set."
    return (
        f"The export tells no times; timestamps are the frame indices at {assumed:g} frames a second. Where that is "
        "wrong, set the rate, or give the video."
    )

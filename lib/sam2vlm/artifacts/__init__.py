"""The contract between phases: run layout, manifests, digests, atomic writes."""

from sam2vlm.artifacts.atomic import canonical_json, open_atomic, publish_folder, write_json, write_text
from sam2vlm.artifacts.differences import differences, leaves
from sam2vlm.artifacts.digests import digest_of_file, digest_of_tree, digest_of_value, files_below
from sam2vlm.artifacts.early_writeback import EarlyWriteback
from sam2vlm.artifacts.inputs import input_from_phase, inputs_from_phases, read_finished, refuse_strangers
from sam2vlm.artifacts.layout import PHASES, RunLayout
from sam2vlm.artifacts.manifest import (
    Counts,
    FileRecord,
    Manifest,
    fingerprint_of,
    read_manifest,
    records_of,
    verify_outputs,
)
from sam2vlm.artifacts.phase import STARTED, PhaseWork, open_phase
from sam2vlm.artifacts.written_files import StreamedFile, WrittenFiles, write_hashed

__all__ = [
    "PHASES",
    "STARTED",
    "Counts",
    "EarlyWriteback",
    "FileRecord",
    "Manifest",
    "PhaseWork",
    "RunLayout",
    "StreamedFile",
    "WrittenFiles",
    "canonical_json",
    "differences",
    "digest_of_file",
    "digest_of_tree",
    "digest_of_value",
    "files_below",
    "fingerprint_of",
    "input_from_phase",
    "inputs_from_phases",
    "leaves",
    "open_atomic",
    "open_phase",
    "publish_folder",
    "read_finished",
    "read_manifest",
    "records_of",
    "refuse_strangers",
    "verify_outputs",
    "write_hashed",
    "write_json",
    "write_text",
]

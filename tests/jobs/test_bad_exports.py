"""Whatever is wrong with settings or volume: the right exit code, one sentence, nothing partial left.

Broken exports have a table and a test of their own: ``tests/broken_exports``, ``test_broken_exports.py``.
"""

import contextlib
import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from sam2vlm.sample import write_sample

AS_ROOT = os.geteuid() == 0
UNPRIVILEGED = 65534


def sample(**arguments):
    return lambda folder: (
        write_sample(
            folder / "export.zip", **{"frames": 12, "objects": 3, "width": 64, "height": 48, "seed": 2, **arguments}
        ).path
    )


def defect(*names, **arguments):
    return sample(defects=names, **arguments)


SETTINGS = {
    "no export named": (
        {"EXPORT": ""},
        "SAM2VLM_EXPORT: names no export to prepare (expected a ZIP archive or a folder",
    ),
    "unknown setting": ({"SPLITT__STRATEGY": "random"}, "SAM2VLM_SPLITT__STRATEGY: no phase has this setting; did you"),
    "unknown in a group": (
        {"SPLIT__GAP": "1"},
        "SAM2VLM_SPLIT__GAP: this group has no such setting; did you mean gap_sec?",
    ),
    "unknown preset": (
        {"PRESET": "prodution"},
        "preset: there is no such preset; did you mean production? (found prodution)",
    ),
    "unknown strategy": ({"SPLIT__STRATEGY": "by-hand"}, "SAM2VLM_SPLIT__STRATEGY: split.strategy: Input should be"),
    "impossible ratio": (
        {"SPLIT__TRAIN_RATIO": "1.5"},
        "SAM2VLM_SPLIT__TRAIN_RATIO: split.train_ratio: Input should be",
    ),
    "ratios of 110 %": (
        {"SPLIT__TRAIN_RATIO": "0.9"},
        "SAM2VLM_SPLIT: the ratios do not add up (expected 1; found 1.1)",
    ),
    "a video cut and kept whole": (
        {"SPLIT__BY_VIDEO": "true", "SPLIT__STRATEGY": "temporal"},
        "SAM2VLM_SPLIT: by_video: contradicts the temporal",
    ),
    "no number": ({"SPLIT__GAP_SEC": "soon"}, "SAM2VLM_SPLIT__GAP_SEC: split.gap_sec: Input should be a valid number"),
    "IoUs in the wrong order": (
        {"VALIDATION__ERROR_BOX_IOU": "0.99"},
        "error_box_iou 0.99 is above warning_box_iou 0.95",
    ),
    "imbalances in the wrong order": (
        {"VALIDATION__MODERATE_IMBALANCE": "20"},
        "moderate_imbalance 20.0 is above severe_imbalance 10.0",
    ),
    "unknown task": (
        {"INSTRUCTIONS__WEIGHTS": '{"guess": 1}'},
        "SAM2VLM_INSTRUCTIONS: tasks: no such task (expected detect",
    ),
    "no task": (
        {"INSTRUCTIONS__WEIGHTS": '{"count": 0}'},
        "SAM2VLM_INSTRUCTIONS: tasks: asks nothing about single frames (expected a task",
    ),
    "too many questions": ({"INSTRUCTIONS__PER_FRAME": "99"}, "per_frame: impossible number of conversations a frame"),
    "unknown language": (
        {"INSTRUCTIONS__LANGUAGE": "xx"},
        "language: no wordings in this language (expected en or zh; found xx)",
    ),
    "weights that are no json": ({"INSTRUCTIONS__WEIGHTS": "detect"}, "SAM2VLM_INSTRUCTIONS"),
    "unknown dialect": ({"ARCHIVE__DIALECT": "sam3"}, "SAM2VLM_ARCHIVE__DIALECT: archive.dialect: Input should be"),
    "run below a file": (
        {"RUN": __file__ + "/run"},
        "SAM2VLM_RUN: no run can be kept there (expected a folder that can be",
    ),
    "run is a file": (
        {"RUN": __file__},
        "SAM2VLM_RUN: no run can be kept there (expected a folder that can be written to",
    ),
    "run in a place of the kernel": ({"RUN": "/proc/sam2vlm"}, "SAM2VLM_RUN: no run can be kept there"),
}


def assert_told(ended, code, words):
    assert ended.code == code
    assert "Traceback" not in ended.printed
    assert len(ended.failures) == 1
    failure = ended.failures[0]
    assert failure["exit_code"] == code
    assert "traceback" not in failure
    assert words in failure["error"]
    assert "\n" not in failure["error"]


def assert_nothing_partial(run):
    if run.exists():
        assert {path.name for path in run.iterdir()} <= {"logs", ".prepare.lock"}


@pytest.mark.parametrize("row", SETTINGS)
def test_bad_settings_end_with_78(row, tmp_path, export, prepare_here):
    settings, words = SETTINGS[row]
    ended = prepare_here(**{"EXPORT": export, "RUN": tmp_path / "run", **settings})
    assert_told(ended, 78, words)
    assert not (tmp_path / "run" / "prepare").exists()
    assert_nothing_partial(tmp_path / "run")


def test_a_finished_run_of_other_settings_is_not_overwritten(tmp_path, export, prepare_here, tree):
    assert prepare_here(EXPORT=export, RUN=tmp_path / "run").code == 0
    before = tree(tmp_path / "run" / "prepare")
    ended = prepare_here(SEED=1)
    assert_told(ended, 78, "already holds a finished prepare with other inputs or the seed; choose another SAM2VLM_RUN")
    ended = prepare_here(SEED=42, SPLIT__GAP_SEC=0.5)
    assert_told(ended, 78, "already holds a finished prepare with other settings split; choose another SAM2VLM_RUN")
    assert tree(tmp_path / "run" / "prepare") == before
    assert prepare_here(REPLACE="true").code == 0
    assert tree(tmp_path / "run" / "prepare") != before


def test_a_changed_artifact_is_noticed(tmp_path, export, prepare_here):
    assert prepare_here(EXPORT=export, RUN=tmp_path / "run").code == 0
    (tmp_path / "run" / "prepare" / "report.md").write_text("all is well")
    assert_told(prepare_here(), 65, "report.md: changed since the phase finished (expected ")


def test_a_refused_export_leaves_its_report_beside_the_logs(tmp_path, prepare_here):
    path = defect("wrong-boxes", frames=60)(tmp_path)
    run = tmp_path / "run"
    ended = prepare_here(EXPORT=path, RUN=run, VALIDATION__LEVEL="strict")
    report = run / "logs" / "prepare-report.md"
    assert str(report) in ended.failures[0]["error"]
    assert "## Warnings" in report.read_text()
    assert (run / "logs" / "prepare-report.json").is_file()
    page = run / "logs" / "prepare-report.html"
    assert "prepare-report.json" in page.read_text()
    assert "The frames were not split" in page.read_text()
    # What passes at a level takes the refusal back.
    assert prepare_here(VALIDATION__LEVEL="report-only").code == 0
    assert not report.exists()
    assert not page.exists()
    assert (run / "prepare" / "report.md").is_file()
    assert (run / "prepare" / "report.html").is_file()


@pytest.mark.parametrize(
    ("make", "settings", "code"),
    [
        (defect("encrypted"), {}, 65),
        (sample(), {"PRESET": "none-such"}, 78),
        (sample(), {"SPLIT__GAP_SEC": 3600}, 65),
    ],
)
def test_a_real_process_ends_the_same(make, settings, code, tmp_path, prepare_process):
    words = tmp_path / "termination-log"
    ended = prepare_process(EXPORT=make(tmp_path), RUN=tmp_path / "run", TERMINATION_LOG=words, **settings)
    assert_told(ended, code, "")
    assert words.read_text() == ended.failures[0]["error"]
    assert_nothing_partial(tmp_path / "run")


@contextlib.contextmanager
def without_privileges():
    """Root may read and write everything; so be somebody else for a moment."""
    if AS_ROOT:
        os.seteuid(UNPRIVILEGED)
    try:
        yield
    finally:
        if AS_ROOT:
            os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that everybody reaches, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_an_export_that_may_not_be_read_ends_with_78(open_folder, prepare_here):
    path = sample()(open_folder)
    path.chmod(0)
    (open_folder / "run").mkdir()
    (open_folder / "run").chmod(0o777)
    with without_privileges():
        ended = prepare_here(EXPORT=path, RUN=open_folder / "run")
    assert_told(ended, 78, "export.zip: no permission while reading the export")
    assert_nothing_partial(open_folder / "run")


def test_a_run_folder_without_write_permission_ends_with_78(open_folder, export, prepare_here):
    (open_folder / "run").mkdir()
    (open_folder / "run").chmod(stat.S_IRUSR | stat.S_IXUSR | stat.S_IROTH | stat.S_IXOTH)
    with without_privileges():
        ended = prepare_here(EXPORT=export, RUN=open_folder / "run")
    assert_told(ended, 78, "SAM2VLM_RUN: no run can be kept there (expected a folder that can be written to; found ")
    assert list((open_folder / "run").iterdir()) == []


@pytest.fixture
def mounted(tmp_path):
    """Mount a tmpfs with the options given; skip where that is not allowed."""
    volume = tmp_path / "volume"
    volume.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(volume)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            pytest.skip(f"a small volume cannot be mounted here: {ended.stderr.strip()}")
        return volume

    yield mount
    subprocess.run(["umount", str(volume)], capture_output=True, check=False)


@pytest.mark.skipif(not AS_ROOT, reason="mounting a small volume needs root")
@pytest.mark.parametrize("free", ["64k", "200k", "600k"], ids=["at once", "in the dataset", "in the pictures"])
def test_a_full_volume_ends_with_75_and_the_next_start_finishes(free, export, mounted, prepare_here, tree):
    volume = mounted(f"size={free}")
    ended = prepare_here(EXPORT=export, RUN=volume / "run")
    assert_told(ended, 75, f"{volume}/run")
    assert "no space left while " in ended.failures[0]["error"]
    assert_nothing_partial(volume / "run")
    subprocess.run(["mount", "-o", "remount,size=64m", str(volume)], check=True)
    assert prepare_here().code == 0
    assert prepare_here(RUN=volume / "unhurried").code == 0
    assert tree(volume / "run" / "prepare") == tree(volume / "unhurried" / "prepare")


@pytest.mark.skipif(not AS_ROOT, reason="mounting a volume needs root")
def test_a_read_only_volume_ends_with_78(export, mounted, prepare_here):
    ended = prepare_here(EXPORT=export, RUN=mounted("ro,size=1m") / "run")
    assert_told(ended, 78, "SAM2VLM_RUN: no run can be kept there")
    assert "read-only file system" in ended.failures[0]["error"]

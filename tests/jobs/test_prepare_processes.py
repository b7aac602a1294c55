"""How many processes a phase takes may change its time and nothing else."""

import os
import signal
import sys

import pytest

from jobs.prepare import outputs
from sam2vlm.data_converter import coco_writer
from sam2vlm.errors import DataError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")

FIRST = os.getpid()
ALL = '["dataset", "llava", "coco", "messages", "yolo"]'


@pytest.fixture
def prepare_in_two(export, tmp_path, prepare_here, monkeypatch):
    """Prepare ``tmp_path / "two"`` with a second process, however few frames and cores there are."""

    def run():
        with monkeypatch.context() as patch:
            patch.setattr(outputs, "_WORTH_A_PROCESS", 1)
            patch.setattr(outputs, "cores", lambda: 2)
            return prepare_here(RUN=tmp_path / "two", EXPORT=export, OUTPUTS__FORMATS=ALL)

    return run


def test_outputs_of_two_processes_are_those_of_one(prepare_in_two, export, tmp_path, prepare_here, tree):
    assert prepare_in_two().code == 0
    assert prepare_here(RUN=tmp_path / "one", EXPORT=export, OUTPUTS__FORMATS=ALL).code == 0
    assert tree(tmp_path / "two" / "prepare") == tree(tmp_path / "one" / "prepare")


def kill_the_second(*_sample):
    if os.getpid() == FIRST:
        raise AssertionError("there is no second process")
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(*_sample):
    raise DataError("is wrong", source="here")


def fill_the_volume(*_sample):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("write", "told"),
    [(kill_the_second, (75, "signal 9")), (refuse, (65, "here: is wrong")), (fill_the_volume, (75, "no space left"))],
)
def test_what_ends_the_second_process_ends_the_phase(write, told, prepare_in_two, monkeypatch, tmp_path):
    monkeypatch.setattr(coco_writer.CocoWriter, "_write", write)
    ended = prepare_in_two()
    code, words = told
    assert ended.code == code
    assert words in ended.failures[0]["error"].lower()
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == [".prepare.lock", "logs"]

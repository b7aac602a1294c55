"""A phase is done, half done or to be started, and says which."""

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from sam2vlm.artifacts import (
    Counts,
    RunLayout,
    digest_of_file,
    input_from_phase,
    inputs_from_phases,
    open_phase,
    read_manifest,
    verify_outputs,
    write_text,
)
from sam2vlm.errors import DataError, InterruptedRunError, SettingsError

DIGEST = "0" * 64


def work(root, *, settings=None, seed=1, name="prepare", text="result", **more):
    """Run one small phase and return its manifest and whether it had to work."""
    with open_phase(
        RunLayout(root), name, inputs={"export": DIGEST}, settings=settings or {"a": 1}, seed=seed, **more
    ) as phase:
        if phase.finished:
            return phase.finished, False
        write_text(phase.folder / "out.txt", text)
        return phase.finish(counts=Counts(seen=3, kept=2, dropped={"gap": 1}), facts={"labels": ["crab"]}), True


def test_the_same_work_is_done_once(tmp_path):
    first, worked = work(tmp_path)
    assert worked
    again, worked = work(tmp_path)
    assert not worked
    assert again == first
    assert sorted(path.name for path in (tmp_path / "prepare").iterdir()) == ["manifest.json", "out.txt"]


def test_equal_work_gives_equal_bytes_in_another_folder(tmp_path):
    work(tmp_path / "one")
    work(tmp_path / "two")
    one, two = ((tmp_path / run / "prepare" / "manifest.json").read_bytes() for run in ("one", "two"))
    assert one == two
    assert str(tmp_path).encode() not in one


def test_other_settings_are_refused_by_name_unless_they_may_replace(tmp_path):
    work(tmp_path)
    with pytest.raises(SettingsError, match=r"settings b; choose another SAM2VLM_RUN, or set SAM2VLM_REPLACE=true"):
        work(tmp_path, settings={"a": 1, "b": 2})
    with pytest.raises(SettingsError, match="inputs or the seed"):
        work(tmp_path, seed=2)
    manifest, worked = work(tmp_path, settings={"a": 1, "b": 2}, replace=True, text="other")
    assert worked
    assert manifest.settings == {"a": 1, "b": 2}
    assert (tmp_path / "prepare" / "out.txt").read_text() == "other"


class Unready(dict):
    """Digests that are not there yet: looking at them is an error."""

    def keys(self):
        raise AssertionError("they are waited for")

    __iter__ = keys


def test_what_starts_clean_does_not_wait_for_its_inputs_digests(tmp_path):
    unready = {"inputs": Unready(export=DIGEST), "settings": {"a": 1}, "seed": 1}
    with open_phase(RunLayout(tmp_path), "prepare", **unready) as phase:
        assert json.loads((phase.folder / "started.json").read_text()) == {"settings": {"a": 1}, "seed": 1}
    with (
        pytest.raises(AssertionError, match="waited for"),
        open_phase(RunLayout(tmp_path), "train", **unready, resumable=True),
    ):
        pass
    work(tmp_path)
    with (
        pytest.raises(AssertionError, match="waited for"),
        open_phase(RunLayout(tmp_path), "prepare", **unready),
    ):
        pass


def test_half_done_work_starts_clean_or_resumes(tmp_path):
    for resumable, expected in ((False, []), (True, ["step-1"])):
        root = tmp_path / str(resumable)
        arguments = {"inputs": {}, "settings": {}, "seed": 0, "resumable": resumable}
        with open_phase(RunLayout(root), "train", **arguments) as phase:
            write_text(phase.folder / "step-1", "half")
        assert not RunLayout(root).manifest("train").exists()
        with open_phase(RunLayout(root), "train", **arguments) as phase:
            assert [path.name for path in phase.folder.glob("step-*")] == expected


def test_half_done_work_of_other_settings_is_not_lost_to_a_typo(tmp_path):
    arguments = {"inputs": {}, "settings": {}, "seed": 0, "resumable": True}
    with open_phase(RunLayout(tmp_path), "train", **arguments) as phase:
        write_text(phase.folder / "step-1", "half")

    def start(**changed):
        with open_phase(RunLayout(tmp_path), "train", **{**arguments, **changed}) as phase:
            return [path.name for path in phase.folder.glob("step-*")]

    with pytest.raises(
        SettingsError, match=r"train: seed: holds half-finished work with other seed; .*expected 0; f.* 1"
    ):
        start(seed=1)
    assert start() == ["step-1"]
    # A folder of version 0.1 knows its fingerprint alone.
    started = tmp_path / "train" / "started.json"
    started.write_text(json.dumps({"fingerprint": json.loads(started.read_text())["fingerprint"]}))
    with pytest.raises(SettingsError, match="half-finished work with other inputs, settings or seed"):
        start(seed=1)
    assert start(seed=1, replace=True) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"settings": {"devices": {"processes_per_node": 1, "zero_stage": 2}, "tasks": ["count"]}},
            r"devices\.processes_per_node: holds .* with other devices\.processes_per_node; .*expected 2; found 1",
        ),
        ({"inputs": {"prepare": "1" * 64}}, r"inputs\.prepare: holds .*expected 0{64}; found 1{64}"),
        (
            {"settings": {"devices": {"processes_per_node": 2, "zero_stage": 1}, "tasks": []}},
            r"devices\.zero_stage: holds .* with other devices\.zero_stage, tasks; ",
        ),
    ],
)
def test_half_done_work_says_what_was_changed(tmp_path, changed, told):
    settings = {"devices": {"processes_per_node": 2, "zero_stage": 2}, "tasks": ("count",)}
    arguments = {"inputs": {"prepare": DIGEST}, "settings": settings, "seed": 0, "resumable": True}
    with open_phase(RunLayout(tmp_path), "train", **arguments):
        pass
    with (
        pytest.raises(SettingsError, match=told),
        open_phase(RunLayout(tmp_path), "train", **{**arguments, **changed}),
    ):
        pass


def test_an_unfinished_phase_has_no_final_folder(tmp_path):
    def fail_half_way():
        with open_phase(RunLayout(tmp_path), "prepare", inputs={}, settings={}, seed=0) as phase:
            write_text(phase.folder / "out.txt", "half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert not (tmp_path / "prepare").exists()
    with pytest.raises(DataError, match="the prepare phase has not finished here; run it first"):
        input_from_phase(RunLayout(tmp_path), "prepare")


def test_a_second_process_is_turned_away_and_may_try_again(tmp_path):
    script = (
        "import sys; from pathlib import Path; from sam2vlm.artifacts import RunLayout, open_phase\n"
        "from sam2vlm.errors import Sam2vlmError\n"
        "try:\n"
        "    with open_phase(RunLayout(Path(sys.argv[1])), 'prepare', inputs={}, settings={}, seed=0): pass\n"
        "except Sam2vlmError as error: print(error); sys.exit(error.exit_code)\n"
    )
    with open_phase(RunLayout(tmp_path), "prepare", inputs={}, settings={}, seed=0):
        other = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert other.returncode == InterruptedRunError.exit_code
    assert "another process is at work on prepare" in other.stdout
    after = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert after.returncode == 0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "out.txt").unlink(), "named in the manifest but missing"),
        (lambda folder: (folder / "out.txt").write_text("longer than it was"), r"expected 6 bytes; found 18"),
        (lambda folder: (folder / "out.txt").write_text("RESULT"), "expected SHA-256"),
    ],
)
def test_a_changed_output_is_named(tmp_path, spoil, message):
    work(tmp_path)
    spoil(tmp_path / "prepare")
    with pytest.raises(DataError, match=message) as caught:
        input_from_phase(RunLayout(tmp_path), "prepare")
    assert caught.value.source == str(tmp_path / "prepare" / "out.txt")
    with pytest.raises(DataError, match=message):
        work(tmp_path)


@pytest.mark.parametrize("damage", [lambda path: path.write_text("{"), lambda path: (path.parent / "out.txt").unlink()])
def test_a_damaged_result_may_be_replaced(tmp_path, damage):
    first, _ = work(tmp_path)
    damage(tmp_path / "prepare" / "manifest.json")
    with pytest.raises(DataError):
        work(tmp_path)
    assert work(tmp_path, replace=True) == (first, True)
    assert work(tmp_path) == (first, False)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"phase": "train"}, "phase"), ({"settings": {"a": 2}}, "fingerprint"), ({"seed": 3}, "fingerprint")],
)
def test_a_manifest_that_was_edited_is_no_input(tmp_path, change, field):
    work(tmp_path)
    path = tmp_path / "prepare" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError) as caught:
        input_from_phase(RunLayout(tmp_path), "prepare")
    assert (caught.value.source, caught.value.field) == (str(path), field)


def test_phases_that_were_made_from_each_other_are_inputs(tmp_path):
    layout = RunLayout(tmp_path)
    work(tmp_path)
    prepared = digest_of_file(layout.manifest("prepare"))
    with open_phase(layout, "train", inputs={"prepare": prepared, "model": DIGEST}, settings={}, seed=0) as phase:
        phase.finish(counts=Counts(seen=0, kept=0), facts={})
    read = inputs_from_phases(layout, "prepare", "train")
    assert {name: digest for name, (digest, _) in read.items()} == {
        name: digest_of_file(layout.manifest(name)) for name in ("prepare", "train")
    }
    work(tmp_path, seed=2, replace=True)
    with pytest.raises(DataError, match="was made from another prepare than the one that is there; run train again"):
        inputs_from_phases(layout, "prepare", "train")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"phase": 3}', json.dumps({"format": "other/1"}), "[" * 100_000])
def test_a_manifest_that_is_none_is_refused(tmp_path, text):
    write_text(tmp_path / "prepare" / "manifest.json", text)
    with pytest.raises(DataError, match=r"manifest\.json"):
        read_manifest(tmp_path / "prepare" / "manifest.json")


def test_counts_must_add_up():
    with pytest.raises(ValidationError, match="3 seen is not 2 kept"):
        Counts(seen=3, kept=2)


def test_outputs_verify_after_a_copy_elsewhere(tmp_path):
    manifest, _ = work(tmp_path)
    (tmp_path / "prepare").rename(tmp_path / "moved")
    verify_outputs(tmp_path / "moved", manifest)

"""What prepare leaves behind, that it does so once, and that nobody can tell whether it was killed on the way."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from datasets import load_from_disk
from PIL import Image

from sam2vlm.artifacts import RunLayout, digest_of_file, input_from_phase, read_manifest
from sam2vlm.data_converter.instructions import answer_text, parse_objects
from sam2vlm.sample import write_sample
from sam2vlm.validation import RULE_IDS

CHECKOUT = Path(__file__).parents[2]
SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, export):
    """A finished run, made by a real process that also says which modules it loaded."""
    run = tmp_path_factory.mktemp("prepared") / "run"
    code = (
        "import runpy, sys\n"
        "try:\n    runpy.run_module('jobs.prepare', run_name='__main__')\n"
        "finally:\n    print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    ended = process(run, export, command=[sys.executable, "-c", code], TERMINATION_LOG=run.parent / "last-words")
    printed, loaded = ended.communicate()
    assert ended.returncode == 0, printed
    return run, loaded.split(), [json.loads(line) for line in printed.splitlines()]


def process(run, export, *, command=(sys.executable, "-m", "jobs.prepare"), **settings):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SAM2VLM_")}
    told = {f"SAM2VLM_{name}": str(value) for name, value in {"RUN": run, "EXPORT": export, **settings}.items()}
    return subprocess.Popen(
        command, env={**clean, **told}, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_every_promised_file_is_there_and_in_the_manifest(prepared):
    run = prepared[0]
    manifest = read_manifest(run / "prepare" / "manifest.json")
    for name in (
        "report.md",
        "report.json",
        "report.html",
        "dataset/dataset_dict.json",
        "dataset/README.md",
        "llava/manifest.json",
        "llava/dataset_info.json",
        *(f"llava/{split}.jsonl" for split in SPLITS),
        *(f"messages/{split}.jsonl" for split in SPLITS),
        *(f"coco/{split}.json" for split in SPLITS),
    ):
        assert name in manifest.outputs
        assert (run / "prepare" / name).is_file()
    input_from_phase(RunLayout(run), "prepare")  # every digest holds
    assert sorted(path.name for path in run.iterdir()) == [".prepare.lock", "logs", "prepare"]


def test_the_manifest_counts_every_frame_and_says_what_later_phases_need(prepared, export):
    manifest = read_manifest(prepared[0] / "prepare" / "manifest.json")
    assert manifest.inputs == {"export": digest_of_file(export)}
    # Twelve seconds at five frames each; one second before and behind each of two borders is twenty frames.
    assert manifest.counts.seen == 60
    assert manifest.counts.dropped == {"split_gap": 20}
    # Pictures are stored before the splits are known; those of the gap are gone.
    assert len(list((prepared[0] / "prepare" / "llava" / "images").rglob("*.*"))) == manifest.counts.kept
    facts = manifest.facts
    assert sum(facts["splits"][split]["frames"] for split in SPLITS) == manifest.counts.kept == 40
    assert (facts["dialect"], facts["validation"]) == ("sam2-demo-1.0.0", "PASSED_WITH_WARNINGS")
    assert "SAM2 Demo Export Tool" in facts["evidence"]
    assert facts["boxes"]["llava"] == "[x1, y1, x2, y2], 0-1 of the picture padded to a square, 2 decimals"
    assert facts["labels"] == sorted({label for split in SPLITS for label in facts["splits"][split]["labels"]})
    assert set(manifest.settings) == {
        *("sources", "archive", "validation", "split", "instructions", "outputs", "report")
    }
    text = (prepared[0] / "prepare" / "manifest.json").read_text()
    assert str(prepared[0].parent) not in text
    assert str(export) not in text


def test_the_dataset_opens_and_agrees_with_the_manifest_and_the_gap(prepared):
    dataset = load_from_disk(str(prepared[0] / "prepare" / "dataset"))
    facts = read_manifest(prepared[0] / "prepare" / "manifest.json").facts["splits"]
    times = {}
    for split in SPLITS:
        rows = dataset[split].to_list()
        assert len(rows) == facts[split]["frames"]
        assert sum(len(row["objects"]) for row in rows) == facts[split]["objects"]
        assert all(Image.open(io.BytesIO(row["image"]["bytes"])).size == (96, 64) for row in rows)
        times[split] = [row["timestamp_sec"] for row in rows]
    assert min(times["val"]) - max(times["train"]) > 1.99
    assert min(times["test"]) - max(times["val"]) > 1.99


def test_llava_lines_ask_and_answer_as_the_dataset_does(prepared):
    dataset = load_from_disk(str(prepared[0] / "prepare" / "dataset"))
    llava = prepared[0] / "prepare" / "llava"
    for split in SPLITS:
        lines = [json.loads(line) for line in (llava / f"{split}.jsonl").read_text().splitlines()]
        expected = [(row, asked) for row in dataset[split].to_list() for asked in row["instructions"]]
        assert len(lines) == len(expected)
        for line, (row, asked) in zip(lines, expected, strict=True):
            assert (llava / line["image"]).read_bytes() == row["image"]["bytes"]
            question, answer = (turn["value"] for turn in line["conversations"])
            assert question == f"<image>\n{asked['prompt']}"
            assert answer == answer_text(asked["task"], row["objects"], 96, 64)
            if asked["task"] == "detect":
                assert len(parse_objects(answer, 96, 64).objects) == len(row["objects"])


def test_the_report_has_its_sections_and_the_json_all_items(prepared):
    report = (prepared[0] / "prepare" / "report.md").read_text()
    assert re.findall(r"^## (.*)$", report, re.MULTILINE) == [
        "Summary",
        "Passed Checks",
        "Warnings",
        "Errors",
        "Recommendations",
        "Class Distribution",
        "Splits",
        "Instructions",
    ]
    assert "the file's own box is the transposed one for" in report
    stored = json.loads((prepared[0] / "prepare" / "report.json").read_text())
    page = (prepared[0] / "prepare" / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<script") == 0
    for name, rows in load_from_disk(str(prepared[0] / "prepare" / "dataset")).items():
        assert f'</span>{name}</th><td class="number">{len(rows)}</td>' in page
    # The six of the specification first, the audit of the splits last.
    assert [rule["rule"] for rule in stored["rules"]] == list(RULE_IDS)


def test_the_last_words_name_the_manifest_by_digest(prepared, export):
    run = prepared[0]
    digest = digest_of_file(run / "prepare" / "manifest.json")
    words = json.loads((run.parent / "last-words").read_text())
    assert words == {"phase": "prepare", "status": "done", "manifest": digest}
    ended = process(run, export, TERMINATION_LOG=run.parent / "last-words-2")
    printed, _ = ended.communicate()
    assert ended.returncode == 0
    words = json.loads((run.parent / "last-words-2").read_text())
    assert words == {"phase": "prepare", "status": "already done", "manifest": digest}
    assert [json.loads(line)["event"] for line in printed.splitlines()] == ["already done"]


def test_events_also_go_to_the_runs_own_log(prepared):
    run, _, events = prepared
    kept = [json.loads(line) for line in (run / "logs" / "prepare-0.jsonl").read_text().splitlines()]
    assert kept[: len(events)] == events
    assert {"read", "checked", "split", "prepared"} <= {event["event"] for event in events}


def test_prepare_loads_no_torch(prepared):
    assert not {"torch", "transformers", "peft", "deepspeed", "accelerate"} & set(prepared[1])


def test_prepare_starts_without_the_heavy_libraries():
    code = "import jobs.prepare.__main__, sys; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert not {"torch", "datasets", "pyarrow", "pandas"} & set(loaded.stdout.split())


# Kills itself at the n-th time that bytes are sent to the disk; where it never comes to that, it says how many were.
KILLED = """
import os, runpy, signal, sys
moment, real, done = int(sys.argv.pop()), os.fsync, 0
def fsync(descriptor):
    global done
    done += 1
    if done == moment:
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)
os.fsync = fsync
try:
    runpy.run_module("jobs.prepare", run_name="__main__")
finally:
    print(done, file=sys.stderr)
"""


def kill_after(process, event, seconds):
    for line in process.stdout:
        if json.loads(line)["event"] == event:
            break
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()


def test_killed_at_any_moment_and_started_again_the_bytes_are_the_same(prepared, export, tmp_path, tree, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    run = tmp_path / "run"
    for event, seconds in [("read", 0.0), ("split", 0.4)]:
        with process(run, export) as victim:
            kill_after(victim, event, seconds)
        assert victim.returncode == -signal.SIGKILL
        assert not (run / "prepare").exists()
    with process(tmp_path / "unbroken", export, command=[sys.executable, "-c", KILLED, "0"]) as unbroken:
        syncs = int(unbroken.communicate()[1].split()[-1])
    # In the conversations, while the outputs are made fast, with the manifest, and once the folder has its last name.
    for moment in (11, 2 * syncs // 3, syncs - 1, syncs):
        with process(run, export, command=[sys.executable, "-c", KILLED, str(moment)]) as victim:
            victim.communicate()
        assert victim.returncode == -signal.SIGKILL
        assert (run / "prepare").exists() == (moment == syncs)
        assert (run / ".prepare.partial" / "manifest.json").exists() == (moment == syncs - 1)
        if moment == syncs - 1:
            (run / ".prepare.partial" / "left-behind").touch()
    with process(run, export) as last:
        printed, _ = last.communicate()
    assert last.returncode == 0
    assert "already done" in printed
    assert tree(run / "prepare") == tree(prepared[0] / "prepare")
    assert sorted(path.name for path in run.iterdir()) == [".prepare.lock", "logs", "prepare"]


def test_sigterm_ends_with_75_and_leaves_nothing_partial(export, tmp_path):
    run = tmp_path / "run"
    with process(run, export) as stopped:
        for line in stopped.stdout:
            if json.loads(line)["event"] == "split":
                stopped.terminate()
                break
        events = [json.loads(line) for line in stopped.stdout]
    assert stopped.returncode == 75
    assert "SIGTERM" in events[-1]["error"]
    assert sorted(path.name for path in run.iterdir()) == [".prepare.lock", "logs"]


def test_a_second_process_of_the_same_phase_waits_for_its_turn(export, tmp_path, prepare_here):
    import fcntl

    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / ".prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = prepare_here(EXPORT=export, RUN=tmp_path / "run")
    assert ended.code == 75
    assert "another process is at work on prepare of this run" in ended.failures[0]["error"]
    assert prepare_here().code == 0


def test_a_folder_is_as_good_as_its_archive(export, tmp_path, prepare_here, prepared):
    with zipfile.ZipFile(export) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert prepare_here(EXPORT=tmp_path / "unpacked", RUN=tmp_path / "run").code == 0
    ours, theirs = (read_manifest(run / "prepare" / "manifest.json") for run in (tmp_path / "run", prepared[0]))
    assert ours.outputs == theirs.outputs
    assert ours.inputs != theirs.inputs


@pytest.mark.parametrize("dialect", ["coco-compressed", "coco-uncompressed"])
def test_the_other_dialects_pass_too(dialect, tmp_path, prepare_here):
    write_sample(tmp_path / "export.zip", frames=60, objects=4, width=96, height=64, seed=5, dialect=dialect)
    assert prepare_here(EXPORT=tmp_path / "export.zip", RUN=tmp_path / "run").code == 0
    facts = read_manifest(tmp_path / "run" / "prepare" / "manifest.json").facts
    assert (facts["dialect"], facts["validation"]) == (dialect, "PASSED_WITH_WARNINGS")


def test_only_the_formats_that_are_asked_for_are_written(export, tmp_path, prepare_here):
    run = tmp_path / "run"
    assert prepare_here(EXPORT=export, RUN=run, OUTPUTS__FORMATS='["dataset", "yolo"]').code == 0
    assert sorted(path.name for path in (run / "prepare").iterdir() if path.is_dir()) == ["dataset", "llava", "yolo"]
    assert [path.name for path in (run / "prepare" / "llava").iterdir()] == ["images"]  # the pictures themselves
    manifest = read_manifest(run / "prepare" / "manifest.json")
    assert list(manifest.facts["outputs"]) == ["dataset", "pictures", "yolo"]
    assert sum(manifest.facts["outputs"]["yolo"]["objects"].values()) == sum(
        manifest.facts["splits"][split]["objects"] for split in SPLITS
    )
    assert prepare_here(RUN=tmp_path / "alone", OUTPUTS__FORMATS='["dataset"]').code == 0
    assert [path.name for path in (tmp_path / "alone" / "prepare").iterdir() if path.is_dir()] == ["dataset"]


def test_auto_says_what_it_chose_and_a_groups_name_may_be_the_videos_file(export, tmp_path, prepare_here):
    assert prepare_here(EXPORT=export, RUN=tmp_path / "run").code == 0
    manifest = read_manifest(tmp_path / "run" / "prepare" / "manifest.json")
    assert manifest.settings["split"]["strategy"] == "auto"
    assert manifest.facts["split"]["strategy"] == "temporal"
    assert manifest.facts["split_notes"][0].startswith("auto chose temporal: the frames come from one video")
    groups = json.dumps({manifest.facts["video"]["filename"]: "the only one"})
    ended = prepare_here(RUN=tmp_path / "grouped", SPLIT__GROUPS=groups)
    assert ended.code == 65
    assert "too few groups to keep each whole" in ended.failures[0]["error"]
    ended = prepare_here(RUN=tmp_path / "mistyped", SPLIT__GROUPS='{"klip.mp4": "a"}')
    assert ended.code == 78
    assert "SAM2VLM_SPLIT: groups.klip.mp4: gives a group to a video that is not there" in ended.failures[0]["error"]


@pytest.mark.parametrize("strategy", ["stratified", "random"])
def test_the_other_strategies_keep_every_frame(strategy, export, tmp_path, prepare_here):
    assert prepare_here(EXPORT=export, RUN=tmp_path / "run", SPLIT__STRATEGY=strategy).code == 0
    manifest = read_manifest(tmp_path / "run" / "prepare" / "manifest.json")
    assert (manifest.counts.kept, manifest.counts.dropped) == (60, {})
    assert [manifest.facts["splits"][split]["frames"] for split in SPLITS] == [48, 6, 6]


def test_a_frame_that_shows_nothing_is_a_negative_example(export, tmp_path, prepare_here):
    path = tmp_path / "negatives.zip"
    with zipfile.ZipFile(export) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "annotations.json":
                document = json.loads(content)
                for record in document["annotations"][:7]:
                    for item in record["objects"]:
                        item.update(mask_rle="65536", bbox=[0, 0, 0, 0], area=0)
                document["annotations"][7]["objects"] = []
                content = json.dumps(document)
            after.writestr(name, content)
    assert prepare_here(EXPORT=path, RUN=tmp_path / "run").code == 0
    manifest = read_manifest(tmp_path / "run" / "prepare" / "manifest.json")
    assert (manifest.counts.seen, manifest.counts.dropped) == (60, {"split_gap": 20})
    assert manifest.facts["splits"]["train"]["negatives"] == 8
    lines = (tmp_path / "run" / "prepare" / "llava" / "train.jsonl").read_text().splitlines()[: 8 * 3]
    answers = {json.loads(line)["conversations"][1]["value"] for line in lines}
    assert answers == {"none", "0", "There are no objects."}


def test_what_the_reader_leaves_out_is_counted_by_reason(tmp_path, prepare_here):
    path = tmp_path / "quiet.zip"
    write_sample(path, frames=90, objects=3, width=96, height=64, seed=5, defects=["frames-without-image"])
    with zipfile.ZipFile(path) as archive:
        pictures = sum(name.startswith("images/") for name in archive.namelist())
    assert prepare_here(EXPORT=path, RUN=tmp_path / "run").code == 0
    counts = read_manifest(tmp_path / "run" / "prepare" / "manifest.json").counts
    assert pictures < 90
    assert counts.seen == 90
    assert counts.dropped["no visible object and no picture"] == 90 - pictures

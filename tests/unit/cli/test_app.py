"""The command as people start it: its own process, its exit codes, its speed."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "datasets", "numpy", "pydantic", "rich.table", "jobs.catalog")


def sam2vlm(*arguments, **variables):
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("SAM2VLM_")}
    return subprocess.run(
        [sys.executable, "-c", "from sam2vlm.cli import main; main()", *arguments],
        env={**environment, "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_command_and_says_what_it_does():
    shown = sam2vlm("--help")
    assert shown.returncode == 0
    for name in (
        "run",
        "prepare",
        "train",
        "evaluate",
        "export",
        "sample",
        "preview",
        "settings",
        "presets",
        "models",
        "version",
    ):
        assert f" {name} " in shown.stdout


def test_the_command_line_loads_nothing_heavy():
    code = "import sys, sam2vlm.cli; print([name for name in sys.argv[1:] if name in sys.modules])"
    shown = subprocess.run(
        [sys.executable, "-c", code, *HEAVY[:-2], HEAVY[-1]], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"


def test_help_is_there_in_half_a_second():
    # The processor's time, not the clock's: other work on the machine says nothing about the program.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert sam2vlm("--help").returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


@pytest.mark.parametrize("command", ["settings", "presets", "models"])
def test_tables_for_people_and_for_programs(command):
    shown, raw = sam2vlm(command), sam2vlm(command, "--json")
    assert (shown.returncode, raw.returncode, shown.stderr, raw.stderr) == (0, 0, "", "")
    rows = json.loads(raw.stdout)
    assert len(rows) > 5
    first = rows[0].get("variable") or rows[0]["name"]
    assert first in shown.stdout


def test_version_is_the_packages():
    from sam2vlm import __version__

    assert sam2vlm("version").stdout.strip() == __version__


def test_sample_is_the_real_command_with_its_options(tmp_path):
    assert "--dialect" in sam2vlm("sample", "--help").stdout
    made = sam2vlm("sample", "--frames", "3", "--objects", "2", "--size", "96x64", str(tmp_path / "a.zip"))
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "a.zip").stat().st_size > 1000


def test_an_error_of_ours_is_one_sentence_on_standard_error(tmp_path):
    refused = sam2vlm("sample", "--size", "big", str(tmp_path / "a.zip"))
    assert refused.returncode == 78
    assert refused.stderr.startswith("sam2vlm: ")
    assert refused.stderr.count("\n") == 1
    assert "Traceback" not in refused.stderr


def test_a_place_that_cannot_be_written_to_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    refused = sam2vlm("sample", "--frames", "2", "--size", "64x64", str(tmp_path / "file" / "a.zip"))
    assert refused.returncode in {65, 75, 78}
    assert refused.stderr.count("\n") == 1
    assert "Traceback" not in refused.stderr


def test_a_command_that_is_not_there_is_refused_with_the_nearest():
    refused = sam2vlm("prepar")
    assert refused.returncode == 2
    assert "prepare" in refused.stderr


@pytest.mark.parametrize("phase", ["prepare", "train", "evaluate", "export"])
def test_a_phase_is_the_jobs_own_process_with_its_exit_code(phase, tmp_path):
    variables = {"SAM2VLM_RUN": str(tmp_path), "SAM2VLM_SED": "1"}
    refused = sam2vlm(phase, **variables)
    direct = subprocess.run(
        [sys.executable, "-m", f"jobs.{phase}"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == direct.returncode == 78
    assert "did you mean seed?" in refused.stdout

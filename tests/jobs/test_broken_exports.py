"""The corpus of broken exports, each through the real prepare phase: refused in one sentence, or mended and told."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.broken_exports.case import AGAIN, DATA, DONE, SETTINGS
from tests.broken_exports.corpus import CORPUS
from tests.broken_exports.flips import anywhere
from tests.broken_exports.parts import COMPRESSED, DEMO, UNCOMPRESSED, changed, good
from tests.broken_exports.running import Ended, environment, prepare, run_case, settings_in
from tests.broken_exports.table import DOCUMENT, table_rows

CHECKOUT = Path(__file__).parents[2]
LONGEST_SENTENCE = 600
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# Rows that also go through a process of their own, as a container runs it.
REPRESENTATIVES = (
    "structure/missing-export",
    "structure/annotations-twice",
    "structure/no-metadata",
    "archive headers/encrypted",
    "archives/traversal",
    "archives/a-bomb",
    "entry names/escape-sequence",
    "JSON and its encoding/latin-1",
    "JSON and its encoding/deep-nesting",
    "JSON values/index-is-infinite",
    "masks/sum-too-small",
    "pictures/jpeg-bomb",
)


def named(case):
    return f"{case.kind}/{case.name}"


def told(text):
    """A text without the marks that keep Markdown from taking it for its own."""
    return text.replace("\\", "")


def assert_one_sentence(ended, path):
    """Nothing but one sentence on one line that names the file; no traceback, not a byte on standard error."""
    assert ended.errors == ""
    assert len(ended.failures) == 1
    assert "traceback" not in ended.failures[0]
    assert ended.failures[0]["exit_code"] == ended.code
    assert not UNPRINTABLE.search(ended.sentence)
    assert str(path) in ended.sentence
    assert len(ended.sentence.replace(str(path), "")) < LONGEST_SENTENCE


def assert_nothing_partial(ended):
    if ended.run.exists():
        assert {path.name for path in ended.run.iterdir()} <= {"logs", ".prepare.lock"}


def assert_own_pictures(ended, pictures):
    """Every row's picture is the one that the export holds for its frame, and every object lies inside of it."""
    assert ended.errors == ""
    assert not ended.failures
    rows = ended.rows
    assert rows
    assert len({row["frame_index"] for row in rows}) == len(rows)
    for row in rows:
        assert row["image"]["bytes"] == pictures[row["frame_index"]]
        for item in row["objects"]:
            x, y, w, h = item["bbox"]
            assert all(map(math.isfinite, (x, y, w, h, item["area"])))
            assert 0 <= x < x + w <= row["width"]
            assert 0 <= y < y + h <= row["height"]
            assert not UNPRINTABLE.search(item["label"])


def assert_due(case, made, ended):
    assert ended.code == case.code, ended.sentence
    if case.code == DONE:
        assert_own_pictures(ended, made.pictures)
        assert told(case.note) in told(ended.report)
        return
    assert_one_sentence(ended, made.path.parent / case.place if "VIDEO" in case.settings else made.path)
    assert_nothing_partial(ended)
    assert case.place in ended.sentence
    detail = re.search(r"\(expected (.*); found (.*)\)$", ended.sentence)
    assert detail, f"expected and found are missing in: {ended.sentence}"
    assert detail[1].startswith(case.expected)
    assert detail[2].startswith(case.found)


def test_the_corpus_is_as_large_as_it_should_be():
    assert len(CORPUS) >= 150
    assert len({named(case) for case in CORPUS}) == len(CORPUS)
    assert {case.code for case in CORPUS} <= {DONE, DATA, AGAIN, SETTINGS}
    assert {*REPRESENTATIVES} <= {*map(named, CORPUS)}


@pytest.mark.parametrize("case", CORPUS, ids=named)
def test_every_broken_export_ends_as_it_should(case, tmp_path):
    made, ended = run_case(case, tmp_path)
    assert_due(case, made, ended)
    # Nothing but the export and the run, wherever an entry's name pointed to.
    assert {path.name for path in tmp_path.iterdir()} <= {made.path.name, "run", "source.mp4"}
    assert not (tmp_path.parent / "outside.txt").exists()
    assert not Path("/outside.txt").exists()


@pytest.mark.parametrize("case", [case for case in CORPUS if named(case) in REPRESENTATIVES], ids=named)
def test_a_real_process_ends_the_same(case, tmp_path):
    made = case.make(tmp_path)
    words = tmp_path / "words"
    ran = subprocess.run(
        [sys.executable, "-m", "jobs.prepare"],
        env=environment(made.path, tmp_path / "run", {**settings_in(case, tmp_path), "TERMINATION_LOG": words}),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    ended = Ended(ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr, tmp_path / "run")
    assert_due(case, made, ended)
    assert case.code == DONE or words.read_text() == ended.sentence


@pytest.mark.parametrize("seed", range(24))
def test_a_bit_flipped_anywhere_is_refused_or_does_no_harm(seed, tmp_path):
    made = anywhere(seed)(tmp_path)
    ended = prepare(made.path, tmp_path, {})
    if ended.code == DONE:
        assert_own_pictures(ended, made.pictures)
    else:
        assert ended.code == DATA
        assert_one_sentence(ended, made.path)
        assert_nothing_partial(ended)


WORDS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    st.just([]),
    st.just({}),
    st.lists(st.integers(-5, 70_000), max_size=4),
    st.dictionaries(st.sampled_from(["size", "counts", "x"]), st.integers(0, 99), max_size=2),
    st.sampled_from(["65536", "0 65536", "1 1", 0, -0.0, 2**53 + 1, "1e999", "\ud800", [0, 0, 0, 0]]),
)


def places_in(tree, path=()):
    """Every path of a JSON tree; of a long list the first and the last item."""
    if path:
        yield path
    members = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in members:
        if isinstance(tree, dict) or key in (0, len(tree) - 1):
            yield from places_in(value, (*path, key))


PLACES = {
    dialect: [
        (document, path)
        for document in ("annotations", "metadata")
        for path in places_in(getattr(good(dialect), document))
    ]
    for dialect in (DEMO, COMPRESSED, UNCOMPRESSED)
}


@st.composite
def mutations(draw):
    """A dialect and up to three places of its documents with what stands there now; a missing word removes it."""
    dialect = draw(st.sampled_from([DEMO, COMPRESSED, UNCOMPRESSED]))
    return dialect, draw(
        st.lists(st.tuples(st.sampled_from(PLACES[dialect]), st.booleans(), WORDS), min_size=1, max_size=3)
    )


def mutated(parts, changes):
    for (document, (*steps, last)), removed, word in changes:
        try:
            tree = getattr(parts, document)
            for step in steps:
                tree = tree[step]
            if removed:
                del tree[last]
            else:
                tree[last] = word
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    # As JSON writes it, with NaN, and with lone surrogates as escapes.
    for document in ("annotations", "metadata"):
        parts.raw[f"{document}.json"] = json.dumps(getattr(parts, document)).encode()


@given(mutation=mutations())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_documents_changed_anywhere_are_refused_or_read_right(mutation, tmp_path_factory):
    dialect, changes = mutation
    folder = tmp_path_factory.mktemp("mutated")
    made = changed(lambda parts: mutated(parts, changes), dialect=dialect)(folder)
    ended = prepare(made.path, folder, {})
    if ended.code == DONE:
        assert_own_pictures(ended, made.pictures)
    else:
        assert ended.code == DATA, ended.failures
        assert_one_sentence(ended, made.path)
        assert_nothing_partial(ended)


def test_the_document_lists_every_row():
    listed = DOCUMENT.read_text(encoding="utf-8")
    for row in table_rows(CORPUS, sentences={}):
        assert row in listed, "run `python -m tests.broken_exports --table`"

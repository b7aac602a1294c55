"""Large JSON through a window: the same values and the same errors as from json itself, wherever it is cut."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2vlm.data_converter.json_stream import Records, read_spilled

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
documents = st.dictionaries(st.sampled_from(["annotations", "video", "a", "ü"]), values, max_size=4) | values


def cut(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


def read(data, size=7):
    return read_spilled(cut(data, size), key="annotations", decoder=json.JSONDecoder())


def plain(value):
    if isinstance(value, dict):
        return {name: list(item) if isinstance(item, Records) else item for name, item in value.items()}
    return value


@settings(max_examples=80, deadline=None)
@given(documents, st.integers(1, 40), st.sampled_from([None, 1]), st.booleans())
def test_it_reads_what_json_reads(document, size, indent, ascii_only):
    data = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    assert plain(read(data, size)) == json.loads(data)


@settings(max_examples=120, deadline=None)
@given(documents, st.integers(0, 200), st.binary(max_size=2).filter(bytes.isascii), st.integers(1, 40))
def test_broken_text_is_refused_where_json_refuses_it(document, place, put, size):
    data = json.dumps(document, indent=1).encode()
    place = min(place, len(data))
    broken = data[:place] + put + data[place + 1 :]
    assert outcome(lambda: plain(read(broken, size))) == outcome(lambda: json.loads(broken.decode("utf-8-sig")))


def outcome(reading):
    """What reading gives, or how it fails; text that is not UTF-8 may be found wrong as JSON before."""
    try:
        return reading()
    except UnicodeDecodeError:
        return "not UTF-8"
    except json.JSONDecodeError as error:
        return error.msg, error.lineno, error.colno


def test_only_the_named_list_of_the_topmost_object_goes_to_the_disk():
    found = read(b'\xef\xbb\xbf{"annotations": [{"a": 1}, [2], "x"], "inner": {"annotations": [3]}}')
    assert isinstance(found["annotations"], Records)
    assert len(found["annotations"]) == 3
    assert found["annotations"][-1] == "x"
    assert found["annotations"][:2] == [{"a": 1}, [2]]
    assert found["inner"] == {"annotations": [3]}
    assert list(found["annotations"]) == list(found["annotations"])
    with pytest.raises(IndexError):
        found["annotations"][3]


def test_the_decoders_own_checks_hold_for_every_item():
    def once(pairs):
        if len(dict(pairs)) < len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    decoder = json.JSONDecoder(object_pairs_hook=once)
    for text in (b'{"annotations": [{"a": 1, "a": 2}]}', b'{"a": 1, "a": 2}'):
        with pytest.raises(ValueError, match="twice"):
            read_spilled(cut(text, 5), key="annotations", decoder=decoder)


def test_the_memory_does_not_grow_with_the_list():
    record = json.dumps({"frame_index": 1, "objects": [{"mask_rle": "1 2 3 " * 300}]}).encode()

    def chunks():
        yield b'{"annotations": ['
        for number in range(3000):
            yield (b", " if number else b"") + record
        yield b"]}"

    tracemalloc.start()
    found = read_spilled(chunks(), key="annotations", decoder=json.JSONDecoder())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found["annotations"]) == 3000
    assert found["annotations"][2999]["frame_index"] == 1
    assert peak < 500_000

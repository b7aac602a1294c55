"""Digests agree with sha256sum and see every change of name or content."""

import subprocess

from sam2vlm.artifacts import digest_of_file, digest_of_tree, digest_of_value, files_below


def test_a_file_digest_is_what_sha256sum_says(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(bytes(range(256)) * 1000)
    said = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    assert digest_of_file(path) == said
    assert digest_of_tree(path) == said


def test_a_tree_digest_sees_names_and_contents_but_not_order_of_creation(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, names in ((first, "ab"), (second, "ba")):
        for name in names:
            (folder / "sub").mkdir(parents=True, exist_ok=True)
            (folder / "sub" / name).write_text(name)
    assert digest_of_tree(first) == digest_of_tree(second)
    (second / "sub" / "a").rename(second / "sub" / "c")
    assert digest_of_tree(first) != digest_of_tree(second)


def test_excluded_patterns_reach_into_folders(tmp_path):
    for name in ("keep.txt", "logs/a.jsonl", "logs/deep/b.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert list(files_below(tmp_path, exclude=("logs/*",))) == ["keep.txt"]


def test_equal_values_have_equal_digests():
    assert digest_of_value({"a": [1, 2.5, None], "b": "x"}) == digest_of_value({"b": "x", "a": [1, 2.5, None]})
    assert digest_of_value([1, 2]) != digest_of_value([2, 1])

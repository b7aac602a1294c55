"""Entries that are no JSON, or JSON in an encoding or a form that nobody may trust."""

from __future__ import annotations

from tests.broken_exports.case import Rows
from tests.broken_exports.parts import Literal, at, documents

ROWS = Rows("JSON and its encoding")
refused, repaired, tolerated = ROWS.refused, ROWS.repaired, ROWS.tolerated

LABEL = "annotations[0].objects[0].label"


def no_json(name, broken, make_text, found="", *, entry="annotations.json"):
    refused(name, broken, documents(make_text, entry), entry, "JSON", found)


def text(change):
    return lambda good: change(good).encode()


no_json("empty-text", "annotations.json has no bytes", lambda good: b"")
no_json("blank-text", "annotations.json is blank", lambda good: b" \n \n")
no_json("half-a-text", "annotations.json ends in the middle", text(lambda good: good[: len(good) // 2]))
no_json("last-brace-lost", "annotations.json lacks its last brace", text(lambda good: good.rstrip()[:-1]))
no_json("two-texts", "annotations.json holds two documents", text(lambda good: good + good))
no_json("trailing-comma", "a list ends with a comma", text(lambda good: good.rstrip()[:-2] + ",]}"))
no_json("a-comment", "annotations.json has a comment", text(lambda good: "// by hand\n" + good))
no_json("single-quotes", "names stand in single quotes", text(lambda good: good.replace('"', "'")))
no_json(
    "python-words", "None in place of null", text(lambda good: good.replace('"confidence": 0.95', '"confidence": None'))
)
no_json("a-web-page", "annotations.json is a web page", lambda good: b"<!DOCTYPE html><title>Sign in</title>")
no_json("zeros", "annotations.json is all zero bytes", lambda good: bytes(2000))
no_json("a-control-character", "a text holds a raw line break", text(lambda good: good.replace("crab", "cr\nab", 1)))
no_json(
    "a-key-twice",
    "an object has a key twice",
    text(lambda good: good.replace('"bbox"', '"area": 5, "bbox"', 1)),
    "the key 'area' occurs twice",
)
no_json(
    "not-a-number",
    "a timestamp is NaN",
    text(lambda good: good.replace('"timestamp_sec": 0.0', '"timestamp_sec": NaN', 1)),
    "NaN is no JSON number",
)
no_json(
    "infinity",
    "a confidence is Infinity",
    text(lambda good: good.replace("0.95", "Infinity", 1)),
    "Infinity is no JSON number",
)
no_json(
    "minus-infinity",
    "a confidence is -Infinity",
    text(lambda good: good.replace("0.95", "-Infinity", 1)),
    "-Infinity is no JSON number",
)
no_json(
    "thousands-of-digits",
    "an area has 5,000 digits",
    text(lambda good: good.replace('"area": ', '"area": ' + "9" * 5000, 1)),
)
no_json("metadata-is-no-json", "metadata.json ends in the middle", text(lambda good: good[:100]), entry="metadata.json")
refused(
    "deep-nesting",
    "objects are nested 100,000 deep",
    documents(text(lambda good: good.replace('"objects": [', '"objects": ' + "[" * 100_000, 1))),
    "annotations.json",
    "an export's JSON",
    "more than",
)
refused(
    "a-list-at-the-top",
    "annotations.json is a list of text",
    documents(lambda good: b'["a", "b"]'),
    "annotations.json",
    "a JSON object",
    "a list of 2 items",
)
refused(
    "null-at-the-top",
    "annotations.json is null",
    documents(lambda good: b"null"),
    "annotations.json",
    "a JSON object",
    "null",
)
refused(
    "a-number-at-the-top",
    "annotations.json is a number",
    documents(lambda good: b"42"),
    "annotations.json",
    "a JSON object",
    "42",
)
refused(
    "text-at-the-top",
    "annotations.json is text",
    documents(lambda good: b'"none"'),
    "annotations.json",
    "a JSON object",
    "the text 'none'",
)


def no_utf8(name, broken, make_text, found):
    refused(name, broken, documents(make_text), "annotations.json", "JSON in UTF-8", found)


no_utf8(
    "utf-16",
    "annotations.json is UTF-16 with its mark",
    lambda good: good.encode("utf-16"),
    "the byte order mark of UTF-16",
)
no_utf8(
    "utf-32",
    "annotations.json is UTF-32 with its mark",
    lambda good: good.encode("utf-32"),
    "the byte order mark of UTF-16",
)
no_json("utf-16-unmarked", "annotations.json is UTF-16 without a mark", lambda good: good.encode("utf-16-le"))
no_utf8(
    "latin-1",
    "a label is Latin-1",
    lambda good: good.replace("crab", "pi\xf1a").encode("latin-1"),
    "the byte 0xf1",
)
no_utf8(
    "half-a-character",
    "a label ends inside of a character",
    lambda good: good.encode().replace(b"crab", b"cra\xe2\x82", 1),
    "the byte 0xe2",
)
no_utf8(
    "overlong",
    "a slash is written in two bytes",
    lambda good: good.encode().replace(b"crab", b"cr\xc0\xaf", 1),
    "the byte 0xc0",
)
no_utf8(
    "surrogate-bytes",
    "a label holds a surrogate's bytes",
    lambda good: good.encode().replace(b"crab", b"cr\xed\xa0\x80", 1),
    "the byte 0xed",
)
tolerated(
    "byte-order-mark",
    "annotations.json begins with a byte order mark",
    documents(lambda good: b"\xef\xbb\xbf" + good.encode()),
)
tolerated(
    "windows-lines",
    "lines end with carriage return and line feed",
    documents(text(lambda good: good.replace(", ", ",\r\n"))),
)
tolerated(
    "escaped-text", "labels are written as escapes", documents(text(lambda good: good.replace("crab", "\\u0063rab")))
)
tolerated(
    "an-unknown-field",
    "the exporter adds fields that nobody knows",
    documents(text(lambda good: good.replace('"bbox"', '"tags": [1, {"a": null}], "bbox"'))),
)
refused(
    "a-lone-surrogate",
    "a label holds half of a surrogate pair",
    at(LABEL, Literal('"cr\\ud83dab"')),
    f"annotations.json: {LABEL}",
    "Unicode without lone surrogates",
    "'cr\\ud83dab'",
)
refused(
    "a-lone-surrogate-in-a-name",
    "the video's name holds half of a surrogate pair",
    at("video.filename", Literal('"\\udc80.mp4"')),
    "annotations.json: video.filename",
    "Unicode without lone surrogates",
    "'\\udc80.mp4'",
)

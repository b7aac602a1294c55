"""The model card: what the hub's own library renders as metadata, and what people need to use the model rightly.

Everything in it comes from the phases' manifests; the usage snippets are run by a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts.markdown import escaped, figure, table
from sam2vlm.export.snippets import adapter_snippet, boxes_snippet, model_snippet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sam2vlm.artifacts import Manifest
    from sam2vlm.config.model_registry import ModelEntry

__all__ = ["render_model_card"]

METHODS = {
    "qlora": "qlora: the base in four bits (NF4) while training, whole in evaluation and merge",
    "full": "full: the weights themselves, without an adapter",
}
PARTS = {"language_model": "language model", "projector": "projector", "vision_tower": "vision tower"}
VARIANTS = {"rslora": "rsLoRA (alpha over the rank's square root)", "dora": "DoRA"}
SPLITS = ("train", "val", "test")
FIGURES = ("mAP50", "mAP50_95", "mean_iou", "count_accuracy", "label_accuracy")
#: Their boxes are written with special tokens in some families.
MARKED = frozenset({"thousandths", "location_tokens"})
CONVENTIONS = {
    "square_fraction": "`label [x1, y1, x2, y2]` joined by `; `, in reading order, `none` where there is nothing. "
    "Coordinates are 0-1 of the picture padded to a square, {decimals} decimals, x to the right and y down.",
    "picture_fraction": "`label [x1, y1, x2, y2]` joined by `; `. Coordinates are 0-1 of the picture, {decimals} "
    "decimals.",
    "resized_pixels": "Absolute pixels of the picture after the processor's own resizing.",
    "thousandths": "Integers from 0 to 1000 of the picture.",
    "location_tokens": "A token of its own for each place of the picture.",
}


def render_model_card(
    *,
    experiment: str,
    base: ModelEntry,
    license: str,  # noqa: A002  the hub's own word for it
    prepare: Manifest,
    train: Manifest,
    evaluate: Manifest,
    exported: Mapping[str, Any],
) -> str:
    """Return ``README.md``.

    Args:
        experiment: Its name, which becomes the model's.
        base: What the registry says of the base model.
        license: Of the tuned model, as the hub spells it.
        prepare: The manifest of the data's phase.
        train: The training's.
        evaluate: The evaluation's.
        exported: The facts of this phase: ``base_model``, ``dtype``, ``verification``, ``processor_of_videos``.
    """
    metrics: Mapping[str, Any] = evaluate.facts["metrics"]
    prompts: Mapping[str, str] = evaluate.facts["prompts"]
    whole = train.settings["training"]["method"] == "full"
    snippet = model_snippet(
        "model" if whole else "merged",
        prompt=prompts["detect"],
        most_tokens=int(evaluate.settings["max_new_tokens"]),
        videos=bool(exported["processor_of_videos"]),
        marked=base.boxes.kind in MARKED,
    )
    parts = [
        f"---\n{_metadata(experiment, exported['base_model'], license, metrics, whole=whole)}\n---",
        f"# {experiment}",
        (
            "A vision-language model that names and locates objects: "
            f"`{exported['base_model']}`, fine-tuned {'in full ' if whole else ''}on "
            f"masks of a SAM 2 export. {evaluate.facts['verdict']}."
        ),
        "## Use",
        *_use(snippet, base, exported, whole=whole),
        "## Boxes",
        CONVENTIONS[base.boxes.kind].format(decimals=base.boxes.decimals),
        *_conversion(base),
        "It was trained and evaluated with these questions (and others of the same meaning):",
        "\n".join(f"- {task}: “{prompt}”" for task, prompt in prompts.items()),
        "## Training data",
        _data(prepare, train),
        "## Training",
        _training(base, train),
        "## Evaluation",
        _evaluation(evaluate, metrics),
        "## Verification",
        _verification(exported),
        "## Limits",
        _limits(metrics, prepare, evaluate),
        "## Provenance",
        _provenance(prepare, train, evaluate),
    ]
    return "\n\n".join(parts) + "\n"


def _use(snippet: str, base: ModelEntry, exported: Mapping[str, Any], *, whole: bool) -> list[str]:
    videos = bool(exported["processor_of_videos"])
    needed = "Transformers, and sam2vlm for its pictures" if videos else "Transformers alone"
    if whole:
        return [f"It needs {needed}. Run this where `model` lies, with a picture of yours:", _python(snippet)]
    return [
        f"The merged model needs {needed}. Run this where `merged` lies, with a picture of yours:",
        _python(snippet),
        "The adapter goes onto its base by PEFT. This takes the place of everything above `picture`; the rest stays:",
        _python(adapter_snippet(exported["base_model"], packaged=base.packaged, videos=videos)),
    ]


def _metadata(
    experiment: str,
    base: str,
    license: str,  # noqa: A002  as above
    metrics: Mapping[str, Any],
    *,
    whole: bool,
) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="image-text-to-text",
            dataset_type="sam2-export",
            dataset_name="the export's own test split",
            dataset_split="test",
            metric_type=name,
            metric_value=metrics["tuned"][name],
        )
        for name in FIGURES
        if metrics["tuned"][name] is not None
    ]
    methods = () if whole else ("lora", "peft")
    data = ModelCardData(
        base_model=base,
        library_name="transformers",
        license=license,
        metrics=list(FIGURES),
        model_name=experiment,
        pipeline_tag="image-text-to-text",
        tags=sorted(["object-detection", "sam2", "sam2vlm", "vision-language-model", *methods]),
        eval_results=results or None,
    )
    return str(data.to_yaml()).strip()


def _conversion(base: ModelEntry) -> list[str]:
    if base.boxes.kind != "square_fraction":
        return []
    return ["Back to pixels, with `picture` and `answer` from above:", _python(boxes_snippet())]


def _data(prepare: Manifest, train: Manifest) -> str:
    samples, counts, facts = train.facts["samples"], prepare.counts, prepare.facts
    video = facts["video"]
    asked = f"{samples['train']['kept']} of {samples['train']['seen']}{_dropped(samples['train']['dropped'])}"
    videos = sorted({name for export in facts.get("exports", ()) for name in export["videos"]})
    shown = f"{len(videos)} videos" if len(videos) > 1 else f"video: {escaped(video['filename'] or video['video_id'])}"
    lines = [
        f"- {shown}, {video['width']} x {video['height']} pixels",
        f"- masks read as: {escaped(facts['dialect'])}",
        f"- frames in the export: {counts.seen}; used: {counts.kept}{_dropped(counts.dropped)}",
        f"- questions to train on: {asked}; to validate by: {samples['val']['kept']}",
    ]
    rows = [
        (name, str(split["frames"]), str(split["objects"]), _labels(split["labels"]))
        for name, split in sorted(facts["splits"].items(), key=lambda item: SPLITS.index(item[0]))
    ]
    return "\n".join(lines) + "\n\n" + table(("split", "frames", "objects", "by label"), rows)


def _labels(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{escaped(label)} {number}" for label, number in counts.items())


def _training(base: ModelEntry, train: Manifest) -> str:
    settings, result = train.settings["training"], train.facts["result"]
    rows = [
        ("method", METHODS.get(settings["method"], settings["method"])),
        *(_parts(train) if "full" in train.facts else _adapter(settings.get("lora") or {}, train)),
        ("learning rate", settings["learning_rate"]),
        ("samples a step", _samples_a_step(settings, train)),
        ("epochs, steps", f"{result['epochs']}, {result['steps']}"),
        ("arithmetic", train.facts["precision"]),
        ("validation loss before, best", f"{figure(result['initial_val_loss'])}, {figure(result['best_val_loss'])}"),
        ("seed", train.seed),
        ("base model's licence", base.licence),
    ]
    return table(("setting", "value"), [(name, str(value)) for name, value in rows])


def _parts(train: Manifest) -> list[tuple[str, str]]:
    learned: Mapping[str, int] = train.facts["full"]["parts"]
    return [
        ("parts that learn", ", ".join(word for part, word in PARTS.items() if learned[part])),
        ("frozen parts", ", ".join(word for part, word in PARTS.items() if not learned[part]) or "none"),
        ("trained parameters", str(train.facts["full"]["parameters"])),
    ]


def _adapter(lora: Mapping[str, Any], train: Manifest) -> list[tuple[str, str]]:
    return [
        ("rank, alpha, dropout", ", ".join(str(lora.get(name)) for name in ("rank", "alpha", "dropout"))),
        *_variants(lora),
        ("adapted modules", f"`{train.facts['adapter']['target_modules']}`".replace("|", "\\|")),
        ("trained parameters", str(train.facts["adapter"]["parameters"])),
    ]


def _variants(lora: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("variants of LoRA", ", ".join(word for key, word in VARIANTS.items() if lora.get(key)))]
    projector = lora.get("projector", "frozen")
    rows.append(("projector", "trained whole, saved with the adapter" if projector == "trained" else ""))
    return [(name, value) for name, value in rows if value]


def _samples_a_step(settings: Mapping[str, Any], train: Manifest) -> int:
    return int(settings["batch_size"] * settings["gradient_accumulation_steps"] * train.facts["world_size"])


def _evaluation(evaluate: Manifest, metrics: Mapping[str, Any]) -> str:
    tuned = metrics["tuned"]
    rows = [
        (f"`{name}`", *(figure(metrics[model][name]) for model in ("base", "tuned", "ceiling"))) for name in FIGURES
    ]
    classes = [
        (escaped(label), str(values["objects"]), figure(values["AP50"])) for label, values in tuned["per_class"].items()
    ]
    parts = [
        (
            f"{tuned['frames']} frames with {tuned['objects']} objects of the test split, greedy answers of at most "
            f"{evaluate.settings['max_new_tokens']} tokens. The ceiling is the true answer's text read back."
        ),
        table(("figure", "base", "tuned", "ceiling"), rows),
        table(("class", "objects in the test split", "AP50"), classes),
    ]
    return "\n\n".join(parts)


def _verification(exported: Mapping[str, Any]) -> str:
    found = exported["verification"]
    if "model_text_share" in found:
        return (
            f"The model was reloaded in a fresh process and answered {found['answers']} questions about "
            f"{found['frames']} frames of the test split again. Equal letter by letter to the trained model: "
            f"{found['model_text_share']:.0%} ({exported['dtype']})."
        )
    return (
        f"Both folders were reloaded in a fresh process and answered {found['answers']} questions about "
        f"{found['frames']} frames of the test split again. Equal letter by letter to the trained model: "
        f"{found['adapter_text_share']:.0%} with the adapter, {found['merged_text_share']:.0%} merged "
        f"({exported['dtype']}; largest difference of a logit {found['max_logits_difference']:g})."
    )


def _limits(metrics: Mapping[str, Any], prepare: Manifest, evaluate: Manifest) -> str:
    labels = ", ".join(escaped(label) for label in metrics["tuned"]["per_class"]) or "none"
    # What was done; the setting may say auto.
    strategy = prepare.facts.get("split", prepare.settings["split"])["strategy"]
    reading = evaluate.facts["reading"]["tuned"]
    unreadable = ", ".join(
        f"{counts['unreadable']} of {counts['answers']} to {task}" for task, counts in reading.items()
    )
    lines = [
        f"It was tested on these classes alone: {labels}. It may call other things by these names.",
        (
            f"Its test frames come from the same video as those it was trained on ({strategy} split); other cameras, "
            "scenes and sizes of objects were not tried."
        ),
        f"Its answers are text and can be unreadable; in the test split {unreadable} were.",
        "It states no confidence: a box is there or it is not.",
        f"The rounding of its coordinates alone limits mAP50-95 to {figure(metrics['ceiling']['mAP50_95'])} there.",
        "Nothing here was tested for decisions about people or their safety.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _provenance(prepare: Manifest, train: Manifest, evaluate: Manifest) -> str:
    inputs = [("export", prepare.inputs["export"]), ("base model", train.inputs["model"])]
    phases = [(phase.phase, phase.fingerprint) for phase in (prepare, train, evaluate)]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(train.versions.items()))
    rows = [(name, f"`{digest}`") for name, digest in [*inputs, *((f"{name} phase", value) for name, value in phases)]]
    return f"{table(('what', 'SHA-256'), rows)}\n\nTrained with {versions}."


def _python(code: str) -> str:
    return f"```python\n{code.strip()}\n```"


def _dropped(dropped: Mapping[str, int]) -> str:
    told = ", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in sorted(dropped.items()))
    return f" (left out: {told})" if told else ""

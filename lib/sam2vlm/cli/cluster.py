"""``sam2vlm cluster``: an experiment on Kubernetes, over ``helm`` and ``kubectl``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["cluster"]

cluster = typer.Typer(help="An experiment on Kubernetes, on the current context.", no_args_is_help=True)

Name = Annotated[str, typer.Option("--experiment", "-e", help="The experiment: the name of its release.")]
Namespace = Annotated[str | None, typer.Option(help="The namespace; the current context's where not given.")]
Chart = Annotated[Path, typer.Option(help="The chart's folder.", exists=True, file_okay=False)]


@cluster.command()
def train(
    *,
    experiment: Name,
    export: Annotated[str, typer.Option(help="A SAM 2 export (ZIP), or volume:path for one on the volume.")],
    preset: Annotated[str | None, typer.Option(help="The training preset.")] = None,
    namespace: Namespace = None,
    chart: Chart = Path("charts/sam2vlm"),
    values: Annotated[list[Path] | None, typer.Option(help="A values file; may be repeated.", exists=True)] = None,
    set_values: Annotated[list[str] | None, typer.Option("--set", help="name=value; may be repeated.")] = None,
    pod_timeout: Annotated[float, typer.Option(help="Seconds that prepare's pod may take to start.")] = 600.0,
    detach: Annotated[bool, typer.Option("--detach", help="Do not follow the logs.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands and do nothing.")] = False,
) -> None:
    """Install the experiment's release, upload the export and follow the logs to the end."""
    from sam2vlm.cluster.experiment import Experiment, Overrides, helm_install
    from sam2vlm.cluster.install import find_export, push_export
    from sam2vlm.cluster.programs import require_cluster, run

    who = Experiment(experiment, namespace)
    if not dry_run:
        require_cluster()
    given = find_export(export)
    command = helm_install(chart, who, given, Overrides(preset, tuple(values or ()), tuple(set_values or ())))
    if dry_run:
        typer.echo(shlex.join(command))
        return
    typer.echo(run(command))
    if given.local is not None:
        push_export(who, given.local, timeout_s=pod_timeout, tell=typer.echo)
        typer.echo(f"{given.local} is on the volume")
    if not detach:
        _follow(experiment, namespace)


@cluster.command()
def status(experiment: Name, namespace: Namespace = None) -> None:
    """Show how far each phase is, and why it waits or failed."""
    from sam2vlm.cli.tables import print_table
    from sam2vlm.cluster.experiment import Experiment, get_command
    from sam2vlm.cluster.programs import json_of, require_cluster
    from sam2vlm.cluster.status import phase_rows
    from sam2vlm.errors import SettingsError

    who = Experiment(experiment, namespace)
    require_cluster()
    items = json_of(get_command(who))["items"]
    if not items:
        raise SettingsError("there is no such experiment here", source="EXPERIMENT", found=experiment)
    rows = [(row.phase, row.state, str(row.pods), row.started, row.detail) for row in phase_rows(experiment, items)]
    print_table(f"Experiment {experiment}", ("Phase", "State", "Pods", "Started (UTC)", "Detail"), rows)


@cluster.command()
def logs(
    experiment: Name,
    phase: Annotated[str, typer.Option(help="prepare, train, evaluate, export, coordinator, or all.")] = "all",
    namespace: Namespace = None,
) -> None:
    """Follow one phase's log, or all of them one after the other."""
    from sam2vlm.cluster.experiment import Experiment
    from sam2vlm.cluster.follow import show_log
    from sam2vlm.cluster.programs import require_cluster

    who = Experiment(experiment, namespace)
    require_cluster()
    if phase == "all":
        _follow(experiment, namespace)
    raise typer.Exit(show_log(who, phase))


@cluster.command()
def fetch(
    experiment: Name,
    namespace: Namespace = None,
    into: Annotated[Path | None, typer.Option(help="Where to; runs/<experiment> where not given.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--everything", help="Dataset and checkpoints too.")] = False,
) -> None:
    """Copy reports, adapter and merged model from the volume to this machine."""
    from sam2vlm.cluster.experiment import Experiment
    from sam2vlm.cluster.fetch import fetch as fetch_results
    from sam2vlm.cluster.programs import require_cluster

    who = Experiment(experiment, namespace)
    require_cluster()
    target = into or Path("runs") / experiment
    finished = fetch_results(who, target, everything=everything)
    typer.echo(f"{target}: {', '.join(finished) or 'no phase has finished yet'}")


@cluster.command()
def uninstall(experiment: Name, namespace: Namespace = None) -> None:
    """Remove the experiment's release; its volume stays."""
    from sam2vlm.cluster.experiment import Experiment, helm_uninstall
    from sam2vlm.cluster.programs import require_cluster, run

    who = Experiment(experiment, namespace)
    require_cluster()
    typer.echo(run(helm_uninstall(who)))


@cluster.command()
def images(
    *,
    kinds: Annotated[list[str] | None, typer.Argument(help="cpu, gpu; both where none is given.")] = None,
    base: Annotated[str | None, typer.Option(help="BASE_IMAGE: a Debian-like image with python3.")] = None,
    prefix: Annotated[str, typer.Option(help="Name of the images up to -cpu and -gpu.")] = "sam2vlm",
    tag: Annotated[str | None, typer.Option(help="Their tag; the version where not given.")] = None,
    builder: Annotated[
        str | None, typer.Option(help="The command up to `build`, where the found one will not do.")
    ] = None,
    build_arg: Annotated[list[str] | None, typer.Option(help="NAME=value; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands and do nothing.")] = False,
) -> None:
    """Build the container images with docker, buildah or podman, whichever works here."""
    from sam2vlm import __version__
    from sam2vlm.cluster.images import build, build_command, find_builder

    program = shlex.split(builder) if builder else find_builder()
    for kind in kinds or ["cpu", "gpu"]:
        dockerfile = Path("docker") / f"{kind}.Dockerfile"
        name = f"{prefix}-{kind}:{tag or __version__}"
        command = build_command(program, dockerfile, name, base=base, arguments=build_arg or ())
        typer.echo(shlex.join(command))
        if not dry_run:
            build(command, Path())


def _follow(experiment: str, namespace: str | None) -> None:
    from rich.console import Console

    from sam2vlm.cluster.experiment import Experiment
    from sam2vlm.cluster.follow import follow

    console = Console(highlight=False)

    def show(phase: str, line: str) -> None:
        if console.is_terminal:
            console.print(f"[cyan]{phase:<9}[/]", end="")
        typer.echo(line)

    code = follow(Experiment(experiment, namespace), show=show)
    typer.echo(f"{experiment}: {'all phases are complete' if code == 0 else f'failed with exit code {code}'}", err=True)
    raise typer.Exit(code)

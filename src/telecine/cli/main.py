"""The `telecine` command: one function per command, flags typed here, work done in the command's own file."""

import atexit
import gc
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from telecine.cli import edit_commands
from telecine.cli.help import topic_commands
from telecine.cli.help.command import add
from telecine.cli.help.flag_groups import GroupedCommand, convert_signature
from telecine.cli.help.usage_errors import Program
from telecine.cli.recording_flags import (
    CatalogToken,
    CatalogTokenFile,
    CatalogUrl,
    DatasetName,
    FailOn,
    FollowLinks,
    Json,
    Recover,
    Timeout,
    Trusted,
    sources_of,
)
from telecine.cli.screen import loudness
from telecine.cli.typed import remember

if TYPE_CHECKING:
    from telecine.cli.exit_codes import Outcome

# numpy's BLAS starts a thread per core when it is loaded, here and in every worker; telecine multiplies no matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Looking for plugins of pydantic reads the metadata of every installed package; a plan has no use for any.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

app = typer.Typer(
    name="telecine",
    cls=Program,
    help="Turns robot recordings into training-ready LeRobot datasets: every row with the right frame.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # importing what draws boxes takes longer than all the rest of `--help`
)


def _version(wanted: bool) -> None:
    if wanted:
        from telecine import __version__

        typer.echo(f"telecine {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@add(app)
def demo(
    out: Annotated[Path, typer.Argument(help="Folder for the recordings and the dataset.")] = Path("telecine-demo"),
    episodes: Annotated[int, typer.Option(min=1, max=50)] = 3,
    seconds: Annotated[float, typer.Option(min=1, max=600)] = 8.0,
    seed: Annotated[int, typer.Option(help="Same seed, same recordings.")] = 0,
    json: Json = False,
    fail_on: FailOn = None,
) -> None:
    """Make sample recordings, convert them, verify the dataset.

    Says what to do next.
    """
    from telecine.cli.demo import run

    _run(lambda: run(out, episodes=episodes, seconds=seconds, seed=seed, json=json), fail_on)


@add(app)
def inspect(
    paths: Annotated[list[str] | None, typer.Argument(help="Recordings (files, folders, globs), or a dataset.")] = None,
    plan: Annotated[Path | None, typer.Option(help="Write the proposed plan here, commented, ready to edit.")] = None,
    catalog_url: CatalogUrl = None,
    dataset_name: DatasetName = None,
    catalog_token: CatalogToken = None,
    png: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Of a dataset: draw each episode's frames and curves here.")
    ] = None,
    catalog_token_file: CatalogTokenFile = None,
    recover: Recover = False,
    follow_links: FollowLinks = False,
    timeout: Timeout = None,
    contact_sheet: Annotated[
        Path | None, typer.Option(help="Write a PNG: every camera, red and blue both ways.")
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="Of a dataset: print its card as push would write it.")] = False,
    checks: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODE,...", help="Of a dataset: only these checks; rows, tasks, frames, episodes, or codes."
        ),
    ] = None,
    all: Annotated[  # noqa: A002 - the flag's name
        bool, typer.Option("--all", help="Read all recordings; of more than 1,000, a sample of so many without it.")
    ] = False,
    lag: Annotated[
        bool, typer.Option("--lag", help="Measure how much later cameras show what the joints did; --plan corrects it.")
    ] = False,
    json: Json = False,
    fail_on: FailOn = None,
) -> None:
    """Show what recordings or a dataset hold.

    For recordings it proposes a plan and prints the full command to convert them.
    """
    from telecine.cli import dataset_summary
    from telecine.cli.inspect import run
    from telecine.commands.inspect import is_dataset

    reading: dict[str, Any] = {"recover": recover, "follow_links": follow_links, "timeout": timeout, "all": all}
    reading |= {"catalog_token": catalog_token, "catalog_token_file": catalog_token_file}
    reading |= {"contact_sheet": contact_sheet, "lag": lag}

    def inspected() -> "Outcome":
        if paths is not None and len(paths) == 1 and plan is None and is_dataset(paths[0]):
            return dataset_summary.run(paths[0], json=json, png=png, card=card, checks=checks or (), reading=reading)
        if png is not None or card or checks:
            raise typer.BadParameter("--png, --card and --checks are of one finished dataset; give its folder")
        where = sources_of(paths, catalog_url, dataset_name)
        return run(where, plan=plan, json=json, reading=reading)

    _run(inspected, fail_on)


def convert(**given: Any) -> None:
    """Convert recordings to a LeRobot v3.0 dataset.

    The last argument is the folder to make.
    """
    from telecine.cli.convert import run

    *paths, out = given.pop("paths")
    if not paths and not given["catalog_url"]:
        raise typer.BadParameter(f"the last argument is the dataset to make: telecine convert {out} OUT")
    where = sources_of(paths, given.pop("catalog_url"), given.pop("dataset_name"))
    own = {name: given.pop(name) for name in ("plan", "json")}
    forecast, fail_on = given.pop("dry_run"), given.pop("fail_on")
    _run(lambda: run(where, Path(out), forecast=forecast, flags=given, **own), fail_on)


convert.__signature__ = convert_signature(  # type: ignore[attr-defined]
    paths=Annotated[list[str], typer.Argument(metavar="RECORDINGS... OUT", help="Sources, then the dataset to make.")],
    plan=Annotated[Path | None, typer.Option(help="Plan file (YAML); other flags override its keys.")],
    catalog_url=CatalogUrl,
    dataset_name=DatasetName,
    dry_run=Annotated[bool, typer.Option("--dry-run", help="Show decisions, bytes and time; write nothing.")],
    json=Json,
    fail_on=FailOn,
)
add(app, GroupedCommand)(convert)


@add(app)
def finalize(
    out: Annotated[str, typer.Argument(help="Where `convert --shard` was told to make the dataset.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is done, failed, missing; write nothing.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that rewrite rows. [default: by cores]")] = None,
    json: Json = False,
    fail_on: FailOn = None,
) -> None:
    """Make the dataset of all parts that `convert --shard` made.

    Videos are neither read nor moved. Names what is missing, with the commands that make it.
    """
    from telecine.cli.finalize import run

    _run(lambda: run(out, dry_run=dry_run, workers=workers, json=json), fail_on)


@add(app)
def verify(
    dataset: Annotated[Path, typer.Argument(help="A LeRobot v3.0 dataset, whoever wrote it.")],
    against: Annotated[list[str] | None, typer.Option(help="Also compare with the recordings it was made of.")] = None,
    decode: Annotated[Literal["all", "sample", "none"], typer.Option(help="How many frames to decode.")] = "sample",
    catalog_token: CatalogToken = None,
    catalog_token_file: CatalogTokenFile = None,
    recover: Recover = False,
    follow_links: FollowLinks = False,
    json: Json = False,
    fail_on: FailOn = None,
) -> None:
    """Read a dataset and say what would hurt in training."""
    from telecine.cli.verify import run

    reading: dict[str, Any] = {"recover": recover, "follow_links": follow_links}
    reading |= {"catalog_token": catalog_token, "catalog_token_file": catalog_token_file}
    _run(lambda: run(dataset, against=against or [], decode=decode, json=json, reading=reading), fail_on)


@add(app)
def repair(
    dataset: Annotated[Path, typer.Argument(help="A broken LeRobot dataset, whoever wrote it. It is never changed.")],
    apply: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a repaired copy to this new folder.")] = None,
    task: Annotated[str | None, typer.Option(metavar="TEXT", help="Task of rows whose own is lost.")] = None,
    without: Annotated[list[str] | None, typer.Option(metavar="FEATURE", help="Leave out; repeatable.")] = None,
    trust: Trusted = None,
    follow_links: FollowLinks = False,
    json: Json = False,
    fail_on: FailOn = None,
) -> None:
    """Say what of a broken dataset can be saved, or save it.

    With --apply it saves what can be saved into a copy.
    """
    from telecine.cli.repair import run

    how: dict[str, Any] = {"task": task, "without": without or [], "follow_links": follow_links}
    how["trust"] = [one.value for one in trust or ()]
    _run(lambda: run(dataset, out=apply, json=json, **how), fail_on)


@add(app)
def push(
    dataset: Annotated[Path, typer.Argument(help="A LeRobot v3.0 dataset.")],
    repo_id: Annotated[str, typer.Argument(metavar="USER/NAME", help="Where on the Hub.")],
    private: Annotated[bool | None, typer.Option("--private/--public", help="Of a repository that is new.")] = None,
    license: Annotated[  # noqa: A002 - the flag's name
        str | None, typer.Option(metavar="ID", help="Into the card: apache-2.0, cc-by-4.0, mit ... Asked when missing.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and say what would be uploaded.")] = False,
    follow_links: FollowLinks = False,
    json: Json = False,
    fail_on: FailOn = None,
) -> None:
    """Upload a verified dataset to the Hugging Face Hub.

    It is tagged so that LeRobot finds it; the training command is printed.
    """
    from telecine.cli.push import run

    how: dict[str, Any] = {"private": private, "dry_run": dry_run, "follow_links": follow_links}
    _run(lambda: run(dataset, repo_id, license=license, json=json, **how), fail_on)


@add(app)
def view(
    path: Annotated[str, typer.Argument(help="A dataset, a recording, or a folder of them.")],
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the browser.")] = True,
    episode: Annotated[int | None, typer.Option(min=0, help="Of a dataset: begin with this one.")] = None,
    row: Annotated[int | None, typer.Option(min=0, help="Of that episode.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Decide and write nothing.")] = False,
    rerun: Annotated[bool, typer.Option("--rerun", help="Offer to open the episode in Rerun's viewer.")] = False,
    follow_links: FollowLinks = False,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than loopback let other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 0,
    fail_on: FailOn = None,
) -> None:
    """Look at datasets and recordings in the browser, and decide.

    Prints the address of the page and serves it, to this machine alone, until it is stopped; the page writes edits.
    """
    from telecine.cli.view import run

    how: dict[str, Any] = {"episode": episode, "row": row, "read_only": read_only, "rerun": rerun, "port": port}
    how["follow_links"] = follow_links
    _run(lambda: run(path, show=browser, host=host, **how), fail_on)


@add(app)
def schema(fail_on: FailOn = None) -> None:
    """Print the JSON Schema of plan files."""
    from telecine.cli.schema import run

    _run(run, fail_on)


record_app = typer.Typer(help="Record episodes.", no_args_is_help=True)
app.add_typer(record_app, name="record")


@add(record_app)
def sim(
    out: Annotated[Path, typer.Argument(help="The dataset to make, or the folder for recordings (with --as).")],
    to: Annotated[
        Literal["dataset", "run", "rrd", "mcap"],
        typer.Option("--as", help="A LeRobot dataset; or recordings to convert: RoboSandbox run folders, .rrd, .mcap."),
    ] = "dataset",
    task: Annotated[
        Literal["pick", "handover"], typer.Option(help="One arm picks a cube; two hand over a bar.")
    ] = "pick",
    episodes: Annotated[int, typer.Option(min=1, max=10_000)] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the first episode; the same seed, the same episodes.")] = 0,
    seconds: Annotated[float, typer.Option(min=2, max=600, help="Length of an episode.")] = 6.0,
    size: Annotated[str, typer.Option(metavar="WxH", help="Frames of both cameras, in px.")] = "320x240",
    fps: Annotated[int, typer.Option(min=5, max=240, help="Control steps and frames a second.")] = 30,
    render: Annotated[
        Literal["auto", "rays", "gl"],
        typer.Option(help="rays need no graphics library; auto: gl where MUJOCO_GL names one."),
    ] = "auto",
    spoil: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="Make a defect on purpose: frozen, dark@2, lag=80ms ...; repeatable."),
    ] = None,
    json: Json = False,
    fail_on: FailOn = None,
) -> None:
    """Record a scripted robot in simulation, with no hardware. It needs no display and no GPU. Failures are kept."""
    from telecine.cli.record import run

    about = {"fps": fps, "render": render, "spoil": spoil or ()}
    _run(lambda: run(out, to, task, (episodes, seed, seconds), size, about=about, json=json), fail_on)


def _run(command: "Callable[[], Outcome]", fail_on: Sequence[str] | None) -> None:
    """Run a command and exit with its code; see docs/exit_codes.md."""
    from telecine.cli.exit_codes import NOT_DONE, WRONG, check_fail_on
    from telecine.cli.stop import Stopped, stoppable
    from telecine.core.errors import PlanError, TelecineError
    from telecine.core.text.visible import safe

    try:
        check_fail_on(fail_on or ())
        gc.freeze()  # modules are no garbage
        gc.enable()
        with stoppable():
            code = command().exit_code(fail_on or ())
    except Stopped as stopped:
        typer.echo("\n".join([f"stopped: {stopped}", *(f"  {n}" for n in stopped.notes)]), err=True)
        code = stopped.code
    except PlanError as error:
        text = safe(str(error), keep="\n")  # a list of mistakes has lines
        typer.echo(f"error: {text}", err=True)
        code = WRONG
    except TelecineError as error:
        notes = (f"  {safe(note)}" for note in getattr(error, "__notes__", ()))
        typer.echo("\n".join([f"error: {safe(str(error))}", *notes]), err=True)
        if loudness.json() and error.findings:
            from telecine.cli.screen.tables import findings_dict, print_json

            print_json({"ok": False, "error": safe(str(error), keep="\n"), "findings": findings_dict(error.findings)})
        code = NOT_DONE
    raise typer.Exit(code)


edit_commands.register(app, _run)
topic_commands.register(app)


def main() -> None:
    """The console command."""
    gc.disable()  # until modules are loaded: looking for garbage among them takes a tenth of a second
    remember(sys.argv[1:])
    if topic_commands.COMPLETION in os.environ:
        topic_commands.prepare_completion()
    try:
        _with_command_of(sys.argv[1:])(prog_name="telecine")
    except KeyboardInterrupt:
        _leave(130)
    except SystemExit as leaving:
        _leave(leaving.code)


def _with_command_of(words: Sequence[str]) -> typer.Typer:
    """The program with the one command that is typed, or with all, whose parsers take three times as long to make."""
    asked = [c for c in app.registered_commands if c.callback and [c.name or c.callback.__name__] == [*words[:1]]]
    if not asked or words[0] == "help":
        return app
    own = copy(app)
    own.registered_commands, own.registered_groups = asked, []
    return own


def _leave(code: object) -> NoReturn:
    """Exit at once: taking modules and libraries apart takes 70 ms, and nobody needs it."""
    if isinstance(code, int) and threading.active_count() == 1:
        with suppress(OSError, ValueError):  # a pipe that is closed: Python's own way says so
            sys.stdout.flush()
            sys.stderr.flush()
            atexit._run_exitfuncs()
            os._exit(code)
    sys.exit(code)  # type: ignore[arg-type]

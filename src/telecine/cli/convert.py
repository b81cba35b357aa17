"""`telecine convert`."""

from pathlib import Path

from telecine.cli.flags import PlanFlags, plan_of
from telecine.cli.progress import Bar
from telecine.cli.show import console, print_json, show_forecast, show_report
from telecine.forecast import forecast
from telecine.pipeline import Options, convert


def run(
    paths: list[str],
    out: Path,
    flags: PlanFlags,
    plan_file: Path | None,
    options: Options,
    *,
    dry_run: bool,
    json: bool,
) -> int:
    """Exit code: 0 when nothing was rejected and the dataset is clean, else 1."""
    plan = plan_of(flags, plan_file)
    if dry_run:
        made = forecast(paths, plan, options)
        if json:
            print_json(made.to_dict())
        else:
            show_forecast(console(), made)
        return 0 if made.ok else 1
    with Bar(quiet=json) as bar:
        report = convert(paths, out, plan, options, progress=bar)
    if json:
        print_json(report.to_dict())
    else:
        show_report(console(), report)
    return 0 if report.ok else 1

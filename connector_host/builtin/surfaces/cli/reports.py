"""Shows what the conformance kit found."""

from itertools import groupby

import click

from connector_host.contract.workshop import Report

_ORDER = ("none", "bronze", "silver", "gold", "platinum")
_SIGNS = {"passed": "ok", "failed": "FAILED", "exempt": "exempt", "not_applicable": "-"}


def reaches(grade: str, wanted: str) -> bool:
    """Whether a grade is as high as the wanted one."""
    return _ORDER.index(grade) >= _ORDER.index(wanted)


def show_report(report: Report, *, verbose: bool) -> None:
    """Print a report: what failed and what is exempt; with `verbose` all of it."""
    checks = sorted(report.checks, key=lambda one: (_ORDER.index(one.grade), one.rule))
    for grade, group in groupby(checks, key=lambda one: one.grade):
        found = list(group)
        passed = sum(one.outcome in {"passed", "not_applicable"} for one in found)
        exempt = sum(one.outcome == "exempt" for one in found)
        click.echo(f"{grade:<9} {passed} of {len(found)}{f', {exempt} exempt' if exempt else ''}")
        for one in found:
            if verbose or one.outcome in {"failed", "exempt"}:
                about = f" {one.about}" if one.about else ""
                click.echo(f"  {_SIGNS[one.outcome]:<6} [{one.rule}]{about}{': ' if one.detail else ''}{one.detail}")
    click.echo(
        f"{report.plugin} {report.version}: grade {report.grade}, {len(checks)} checks in {report.seconds:.1f} s"
    )

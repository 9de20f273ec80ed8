"""Owns the table: a row is a figure, ours, what stands beside it, their ratio and the goal for that."""

import os

from measure import Failed

missed = []


def head():
    busy = os.getloadavg()[0]
    if busy > 0.5:
        print(f"This machine was busy before the first figure (load {busy:.1f}): do not trust these.\n")
    print("| figure | ours | beside | ratio | goal |\n|---|---|---|---|---|", flush=True)


def known(results):
    """Whether all of them were measured."""
    return not any(isinstance(result, Failed) for result in results.values())


def shown(value, unit):
    return f"{value:.2f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def row(figure, ours, unit, beside="", theirs=None, at_most=None, faster=None):
    """`at_most`: goal for ours as a multiple of theirs. `faster`: goal for theirs as a multiple of ours."""
    if isinstance(ours, Failed) or isinstance(theirs, Failed):
        return skipped(figure, ours if isinstance(ours, Failed) else theirs, beside)
    other = f"{beside}: {shown(theirs, unit)}" if theirs is not None else beside
    ratio = goal = ""
    if faster:
        ratio, goal = f"{theirs / ours:.1f}x faster", met(figure, theirs / ours >= faster, f">= {faster}x faster")
    elif theirs:
        ratio = f"{ours / theirs:.2f}x"
        goal = met(figure, ours / theirs <= at_most, f"<= {at_most}x") if at_most else ""
    line(figure, shown(ours, unit), other, ratio, goal)


def bound(figure, ours, unit, most):
    """A row whose goal is a number."""
    goal = met(figure, ours <= most, f"<= {most} {unit}")
    line(figure, shown(ours, unit), "", "", goal)


def skipped(figure, reason, beside=""):
    line(figure, f"skipped: {reason}", beside)


def line(*cells):
    cells = [*cells, "", "", "", ""][:5]
    print("|", " | ".join(cell.replace("|", "\\|") for cell in cells), "|", flush=True)


def met(figure, reached, goal):
    if not reached:
        missed.append(figure)
    return f"{goal}: {'met' if reached else 'NOT MET'}"


def foot():
    print(f"\nGoals not met: {len(missed)}{': ' if missed else ''}{'; '.join(missed)}", flush=True)

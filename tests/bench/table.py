"""Owns the table: a row is a figure, ours, what stands beside it, their ratio and the goal for that."""

from measure import Failed, runs

missed = []


def head():
    print("| figure | ours | beside | ratio | goal |\n|---|---|---|---|---|", flush=True)


def known(results):
    """Whether all of them were measured."""
    return not any(isinstance(result, Failed) for result in results.values())


def shown(value, unit):
    return f"{value:.2f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def row(figure, ours, unit, beside="", theirs=None, at_most=None):
    """`at_most` is the goal: ours as a multiple of theirs."""
    if isinstance(ours, Failed) or isinstance(theirs, Failed):
        return skipped(figure, ours if isinstance(ours, Failed) else theirs, beside)
    if theirs is None:
        return line(figure, shown(ours, unit))
    goal = met(f"{figure}, {beside}", ours / theirs <= at_most, f"<= {at_most}x") if at_most else ""
    line(figure, shown(ours, unit), f"{beside}: {shown(theirs, unit)}", f"{ours / theirs:.2f}x", goal)


def faster(figure, ours, unit, beside, theirs, at_least=None):
    """`at_least` is the goal: theirs as a multiple of ours."""
    if isinstance(ours, Failed) or isinstance(theirs, Failed):
        return skipped(figure, ours if isinstance(ours, Failed) else theirs, beside)
    goal = met(f"{figure}, {beside}", theirs / ours >= at_least, f">= {at_least}x faster") if at_least else ""
    line(figure, shown(ours, unit), f"{beside}: {shown(theirs, unit)}", f"{theirs / ours:.1f}x faster", goal)


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
    if runs["disturbed"]:
        print(f"\n{runs['disturbed']} of {runs['all']} runs began while others used this machine: do not trust these figures.")
    print(f"\nGoals not met: {len(missed)}{': ' if missed else ''}{'; '.join(missed)}", flush=True)

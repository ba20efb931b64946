"""Statistics changed by hand."""

from mien.report.statistics import Statistics


def with_strategies(statistics: Statistics, *names: str) -> Statistics:
    """Return statistics in which more strategies came out just as joint did."""
    copied = {}
    for part in ("runs", "bjontegaard", "targets", "reliability"):
        found = getattr(statistics, part)
        copied[part] = {**found, **dict.fromkeys(names, found["joint"])}
    return statistics.model_copy(
        update={**copied, "strategies": [*statistics.strategies, *names]}
    )


def with_delta(
    statistics: Statistics, strategy: str, name: str, **change: object
) -> Statistics:
    """Return statistics in which one delta, `bd_rate` or `bd_accuracy`, is another."""
    found = statistics.bjontegaard[strategy]
    delta = getattr(found, name).model_copy(update=change)
    changed = found.model_copy(update={name: delta})
    return statistics.model_copy(
        update={"bjontegaard": {**statistics.bjontegaard, strategy: changed}}
    )

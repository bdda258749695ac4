"""The operator's view: finds the service "telemetry.aggregator" by its name, asks it for what it knows, again and again
until it has received so many readings, and shows the table as it is: on a terminal anew in its place, elsewhere the
last one. Which instance answers, and whether another one had to be asked, it does not know.

    operators_view.py REGISTRY_ENDPOINT READINGS
"""

import sys

import dividere
from dividere.service import ServiceClient
from telemetry_pb2 import SummaryRequest

# A new table comes with so many new readings.
STEP = 10


def table(summary):
    """The lines of the table."""
    columns = ["", "minimum", "mean", "maximum", "last", "readings", "unit"]
    yield "{:<20} {:>10} {:>10} {:>10} {:>10} {:>9}  {}".format(*columns)
    for row in summary.rows:
        values = " ".join(f"{value:10.2f}" for value in (row.minimum, row.mean, row.maximum, row.last))
        yield f"{row.name:<20} {values} {row.readings:9}  {row.unit}"
    yield f"{summary.readings} readings, window of {summary.window_s:.0f} s"


def summaries(aggregator, wanted):
    """What the service knows, whenever it knows more, until it has so many readings."""
    known = 0
    while known < wanted:
        question = SummaryRequest(readings_at_least=min(known + STEP, wanted))
        # A summary may be asked for twice: where an instance dies with the question, another one gets it.
        summary = aggregator.call(question, timeout=120, repeat=True)
        known = summary.readings
        yield summary


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: operators_view.py REGISTRY_ENDPOINT READINGS")
    live = sys.stdout.isatty()
    lines = []
    with ServiceClient("telemetry.aggregator", sys.argv[1]) as aggregator:
        aggregator.wait_for_service(timeout=60)
        for summary in summaries(aggregator, int(sys.argv[2])):
            if live and lines:
                # Up to where the table began, and nothing below.
                print(f"\x1b[{len(lines)}A\x1b[J", end="")
            lines = list(table(summary))
            if live:
                print("\n".join(lines), flush=True)
    if not live:
        print("\n".join(lines))


if __name__ == "__main__":
    try:
        main()
    except dividere.Error as error:
        sys.exit(f"operators_view: {type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)

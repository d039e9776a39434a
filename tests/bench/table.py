"""The measurements as a table."""

from typing import NamedTuple


class Row(NamedTuple):
    what: str
    goal: str
    reached: str
    peer: str = ""


def markdown(rows: list[Row]) -> str:
    lines = ["| what | goal | reached | the operator's allocator, or Prometheus |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {row.what} | {row.goal} | {row.reached} | {row.peer} |" for row in rows)]) + "\n"

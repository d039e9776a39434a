"""A plot with logarithmic axes, as SVG."""

import math

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 360, 70, 50, 20, 20
STYLE = (
    "text{font:13px sans-serif;fill:#555}line{stroke:#8884}.axis{stroke:#888}"
    "polyline{fill:none;stroke:#2a6fdb;stroke-width:2}circle{fill:#2a6fdb}"
)


def plot(points: list[tuple[int, float]]) -> str:
    """Seconds against targets."""
    decades_x = range(math.floor(math.log10(points[0][0])), math.ceil(math.log10(points[-1][0])) + 1)
    decades_y = range(math.floor(math.log10(points[0][1])), math.ceil(math.log10(points[-1][1])) + 1)
    span_x, span_y = decades_x[-1] - decades_x[0], decades_y[-1] - decades_y[0]

    def x(value: float) -> float:
        return LEFT + (math.log10(value) - decades_x[0]) / span_x * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(value) - decades_y[0]) / span_y * (HEIGHT - BOTTOM - TOP)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    parts.append(f"<title>CPU seconds against targets</title><style>{STYLE}</style>")
    for decade in decades_x:
        at = x(10**decade)
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{10**decade:,}</text>')
    for decade in decades_y:
        at = y(10.0**decade)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{10.0**decade:g} s</text>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">targets</text>')
    line = " ".join(f"{x(targets):.1f},{y(seconds):.1f}" for targets, seconds in points)
    parts.append(f'<polyline points="{line}"/>')
    parts += [f'<circle cx="{x(targets):.1f}" cy="{y(seconds):.1f}" r="4"/>' for targets, seconds in points]
    return "\n".join([*parts, "</svg>"]) + "\n"

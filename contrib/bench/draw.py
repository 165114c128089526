"""The result as a picture: an SVG with one panel for each work, written by hand so that it needs
nothing, and legible on light and on dark pages."""

import math
from html import escape

WIDTH = 960
MARGIN = 24
GAP = 32
COLUMNS = 2
PANEL = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS
NAMES = 74            # pixels for the peers' names, left of the bars
VALUES = 58           # and for the values, right of them
BARS = PANEL - NAMES - VALUES
HEAD = 46             # a panel's title and subtitle
ROW = 22              # one peer with one bar
SECOND = 15           # one more bar of the same peer
BAR = 12
LOG_FROM = 20         # a panel whose bars differ by more than this has a logarithmic scale
TICKS = 5             # about so many on a linear scale

STYLE = """
svg { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
.page { fill: #ffffff; } .ink { fill: #1f2328; } .faint { fill: #59636e; }
.title { font-size: 13px; font-weight: 600; } .small { font-size: 11px; }
.strong { font-weight: 600; } .head { font-size: 18px; font-weight: 600; }
.grid { stroke: #d1d9e0; } .axis { stroke: #818b98; }
.ours { fill: #0969da; } .mounts { fill: #818b98; } .loads { fill: #c0944f; }
.ours.second { fill: #80b9f2; } .mounts.second { fill: #c3c9d0; } .loads.second { fill: #e0cba9; }
.bad { fill: #b42318; }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117; } .ink { fill: #e6edf3; } .faint { fill: #9198a1; }
  .grid { stroke: #30363d; } .axis { stroke: #656c76; }
  .ours { fill: #4493f8; } .mounts { fill: #848d97; } .loads { fill: #b08d55; }
  .ours.second { fill: #265795; } .mounts.second { fill: #4a525b; } .loads.second { fill: #5f4e33; }
  .bad { fill: #ff7b72; }
}
"""


def number(value):
    """Three digits that count, and never an exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{round(value, digits):.{min(digits, 4)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def text(x, y, words, classes="ink", anchor="start"):
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}"{where}>{escape(words)}</text>'


def line(x1, y1, x2, y2, classes):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{classes}"/>'


class Scale:
    """Values to pixels."""

    def __init__(self, values):
        low, high = min(values), max(values)
        self.logarithmic = low > 0 and high / low > LOG_FROM
        if self.logarithmic:
            # A bar that begins at its own value would be none.
            self.low = 10 ** math.floor(math.log10(low / 1.5))
            self.high = high * 1.05
            self.ticks = [10.0 ** e for e in range(round(math.log10(self.low)),
                                                   math.floor(math.log10(self.high)) + 1)]
        else:
            self.low, self.high = 0, (high or 1) * 1.02
            step = self._round_step(self.high / TICKS)
            self.ticks = [i * step for i in range(int(self.high / step) + 1)]

    @staticmethod
    def _round_step(least):
        decade = 10 ** math.floor(math.log10(least))
        return next(n * decade for n in (1, 2, 5, 10) if n * decade >= least)

    def __call__(self, value):
        if self.logarithmic:
            return BARS * math.log(value / self.low) / math.log(self.high / self.low)
        return BARS * value / self.high


def rows_of(work, peers):
    """[(peer, its record)] of those that did the work, or failed at it."""
    return [(name, work["peers"][name]) for name in peers if name in work["peers"]]


class Panel:
    def __init__(self, work, peers):
        self.work = work
        self.metrics = [m for m in work["metrics"] if m["drawn"]]
        self.rows = rows_of(work, peers)
        values = [record["median"][m["key"]] for _, record in self.rows for m in self.metrics
                  if m["key"] in record.get("median", {})]
        self.scale = Scale(values) if values else None
        self.row = ROW + SECOND * (len(self.metrics) - 1)
        self.height = HEAD + self.row * len(self.rows) + 34

    def draw(self, x, y, peers):
        if not self.scale:
            return [text(x, y + 14, self.work["title"], "ink title"),
                    text(x, y + 30, "nobody could", "faint small")]
        return [*self._headings(x, y), *self._grid(x + NAMES, y + HEAD),
                *(mark for i, (name, record) in enumerate(self.rows)
                  for mark in self._bars(x, y + HEAD + i * self.row, name, record, peers[name]))]

    def _headings(self, x, y):
        unit = self.metrics[0]["unit"]
        better = "more" if self.metrics[0]["more_is_better"] else "less"
        what = "; second bar: ".join(m["label"] for m in self.metrics)
        logarithmic = ", logarithmic" if self.scale.logarithmic else ""
        return [text(x, y + 12, self.work["title"], "ink title"),
                text(x + PANEL, y + 12, f"{unit}, {better} is better{logarithmic}", "ink small",
                     "end"),
                text(x, y + 29, f'{self.work["about"]} \N{EM DASH} {what}', "faint small")]

    def _grid(self, x, y):
        bottom = y + self.row * len(self.rows)
        for i, tick in enumerate(self.scale.ticks):
            at = x + self.scale(tick) if tick else x
            yield line(at, y, at, bottom, "grid" if i else "axis")
            yield text(at, bottom + 14, number(tick), "faint small", "middle")

    def _bars(self, x, y, name, record, kind):
        middle = y + self.row / 2 + 4
        emphasis = "ink strong" if kind == "ours" else "ink"
        yield text(x + NAMES - 8, middle, name, emphasis, "end")
        if "median" not in record:
            yield text(x + NAMES + 6, middle, "failed", "bad small")
            return
        top = y + (self.row - BAR - SECOND * (len(self.metrics) - 1)) / 2
        for i, metric in enumerate(self.metrics):
            value = record["median"].get(metric["key"])
            if value is None:
                continue
            width = max(2, self.scale(value))
            at = top + i * SECOND
            yield (f'<rect x="{x + NAMES:.1f}" y="{at:.1f}" width="{width:.1f}" height="{BAR}" '
                   f'rx="2" class="{kind}{" second" if i else ""}"/>')
            yield text(x + NAMES + width + 5, at + BAR - 2, number(value), f"{emphasis} small")


def legend(kinds):
    entries = [(kind, words) for kind, words in (
        ("ours", "adlfs"), ("mounts", "other mounts"), ("loads", "downloaders, no mount"))
        if kind in kinds]
    x = WIDTH - MARGIN - 150 * len(entries)
    for kind, words in entries:
        yield f'<rect x="{x}" y="22" width="12" height="12" rx="2" class="{kind}"/>'
        yield text(x + 18, 32, words, "faint")
        x += 150


def draw(result):
    """The SVG's text."""
    peers = {name: peer["kind"] for name, peer in result["peers"].items()}
    panels = [Panel(work, peers) for work in result["works"].values()]
    marks, y = [], 76
    for first in range(0, len(panels), COLUMNS):
        row = panels[first:first + COLUMNS]
        for column, panel in enumerate(row):
            marks += panel.draw(MARGIN + column * (PANEL + GAP), y, peers)
        y += max(panel.height for panel in row)
    machine = result["machine"]
    runs = "one run" if result["runs"] == 1 else f'medians of {result["runs"]} runs'
    about = (f'{result["date"][:10]}, {machine["cores"]} cores of {machine["processor"]}, '
             f'{machine["memory_GiB"]:g} GiB, {machine["system"]}, Linux {machine["kernel"]}; '
             f'largest file {result["size"] >> 20} MiB, {runs}')
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" '
        f'height="{y}" role="img" aria-label="adlfs and its peers, measured">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{y}" class="page"/>',
        text(MARGIN, 34, "adlfs and its peers", "ink head"),
        text(MARGIN, 54, about, "faint small"),
        *legend(peers.values()), *marks, "</svg>", ""])

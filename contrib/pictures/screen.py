"""A terminal's screen, as tmux tells it with its colours, as an SVG: written by hand so that it needs
nothing. Each run of text is fitted to its columns and blocks are drawn as rectangles, so that it
looks the same whatever font is there."""

import re
import unicodedata
from html import escape

CELL, LINE, BASE = 8.4, 18, 13.5  # pixels: a column, a row, from a row's top to its text's foot
MARGIN = 12
PAGE, INK = "#0d1117", "#e6edf3"
COLOURS = {30: "#484f58", 31: "#ff7b72", 32: "#3fb950", 33: "#d29922", 34: "#58a6ff",
           35: "#bc8cff", 36: "#39c5cf", 37: "#b1bac4"}
BLOCKS = "▏▎▍▌▋▊▉█"
SHADES = {"░": 0.25, "▒": 0.5, "▓": 0.75}
ESCAPE = re.compile(r"\x1b\[([0-9;]*)m|\x1b[()].|[\x0e\x0f]")
PLAIN = (INK, False, False)


def dressed(style, codes):
    """The style (colour, bold, dim) behind an SGR sequence."""
    colour, bold, dim = style
    for code in (int(c or 0) for c in codes.split(";")):
        if code == 0:
            colour, bold, dim = PLAIN
        elif code in (1, 2):
            bold, dim = bold or code == 1, dim or code == 2
        elif code == 22:
            bold = dim = False
        elif code == 39:
            colour = INK
        elif code in COLOURS:
            colour = COLOURS[code]
    return colour, bold, dim


def width(char):
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def runs(line, style):
    """The line's (column, columns, text, style), and the style at its end. A block is told apart
    from text, and text that is apart by two spaces or more, too."""
    found, column, at = [], 0, 0
    pieces = []
    for escape_ in ESCAPE.finditer(line):
        pieces.append((line[at:escape_.start()], style))
        if escape_.group(1) is not None:
            style = dressed(style, escape_.group(1))
        at = escape_.end()
    pieces.append((line[at:], style))
    for text, worn in pieces:
        for part in re.findall(r" {2,}|[█░▒▓]+|[▏▎▍▌▋▊▉]|(?:(?! {2})[^█░▒▓▏▎▍▌▋▊▉])+", text):
            columns = sum(map(width, part))
            if part.strip():
                found.append((column, columns, part, worn))
            column += columns
    return found, style


def rectangle(x, y, columns, colour, opacity):
    seen = "" if opacity == 1 else f' fill-opacity="{opacity:.2f}"'
    return (f'<rect x="{x:.1f}" y="{y}" width="{columns * CELL:.1f}" height="{LINE}" '
            f'fill="{colour}"{seen}/>')


def blocks(x, y, part, style):
    """Full and shaded blocks side by side, or one that fills a part of its column."""
    colour, _, dim = style
    light = 0.6 if dim else 1
    for same in re.findall(r"(.)(\1*)", part):
        char, count = same[0], len("".join(same))
        part_of = 1 if char in SHADES else (BLOCKS.index(char) + 1) / 8
        yield rectangle(x, y, count * part_of, colour, light * SHADES.get(char, 1))
        x += count * CELL


def text(x, y, columns, part, style):
    colour, bold, dim = style
    wear = f' fill="{colour}"' if colour != INK else ""
    wear += ' font-weight="bold"' if bold else ""
    wear += ' fill-opacity="0.6"' if dim else ""
    return (f'<text x="{x:.1f}" y="{y + BASE:.1f}" textLength="{columns * CELL:.1f}" '
            f'lengthAdjust="spacingAndGlyphs"{wear}>{escape(part)}</text>')


def draw(screen, columns, rows, title):
    """`screen`: what `tmux capture-pane -e -p` printed."""
    wide, high = round(columns * CELL + 2 * MARGIN), rows * LINE + 2 * MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
           f'viewBox="0 0 {wide} {high}" role="img" xml:space="preserve">',
           f"<title>{escape(title)}</title>",
           "<style>text { font: 14px 'DejaVu Sans Mono', ui-monospace, Menlo, Consolas, monospace; "
           "white-space: pre; }</style>",
           f'<rect width="{wide}" height="{high}" rx="6" fill="{PAGE}"/>',
           f'<g fill="{INK}" shape-rendering="crispEdges">']
    style = PLAIN
    for row, line in enumerate(screen.split("\n")[:rows]):
        found, style = runs(line, style)
        y = MARGIN + row * LINE
        for column, taken, part, worn in found:
            x = MARGIN + column * CELL
            if part[0] in BLOCKS or part[0] in SHADES:
                out.extend(blocks(x, y, part, worn))
                continue
            spaces = len(part) - len(part.lstrip())
            part = part.strip()
            out.append(text(x + spaces * CELL, y, sum(map(width, part)), part, worn))
    return "\n".join(out + ["</g>", "</svg>", ""])

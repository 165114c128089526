"""The result as a table, in Markdown that can be read as it is."""

from draw import number


def cell(record, metric):
    """'-' where the peer does not do such work, or not this part of it."""
    if record is None or metric["key"] not in record.get("median", {}):
        return "failed" if record and "median" not in record else "-"
    return number(record["median"][metric["key"]])


def best(records, metric):
    values = [record["median"][metric["key"]] for record in records
              if metric["key"] in record.get("median", {})]
    if len(values) < 2:
        return None
    return number(max(values) if metric["more_is_better"] else min(values))


def rows(result, peers):
    for name, work in result["works"].items():
        records = work["peers"]
        for i, metric in enumerate(work["metrics"]):
            winner = best(records.values(), metric) if metric["drawn"] else None
            cells = [cell(records.get(peer), metric) for peer in peers]
            yield [name if i == 0 else "", f'{metric["label"]}, {metric["unit"]}',
                   *(f"**{text}**" if text == winner else text for text in cells)]


def table(result):
    """Rows are the works' metrics, columns the peers; the best of what is drawn is bold."""
    peers = list(result["peers"])
    titles = [f'{name} {result["peers"][name]["version"]}' for name in peers]
    lines = [["work", "", *titles], *rows(result, peers)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths[:2]] +
                 ["-" * (width - 1) + ":" for width in widths[2:]])
    return "\n".join("| " + " | ".join(
        text.ljust(width) if i < 2 else text.rjust(width)
        for i, (text, width) in enumerate(zip(line, widths))) + " |" for line in lines)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The results as one SVG: a panel of bars for each metric and group, whiskers from least to
greatest. Written here, since nothing else of the bench needs a plotting library."""

from xml.sax.saxutils import escape

from measures import METRICS
from report import number

WIDTH, MARGIN, COLUMNS = 520, 24, 2
LABEL, VALUE = 200, 90              # left and right of the bars
BAR, GAP, HEAD = 16, 6, 34
COLORS = {'our': '#2a6f97', "Debian's": '#c8553d', '': '#8a8d91'}
STYLE = ('text { font: 12px sans-serif; fill: #222 } .title { font-weight: bold }'
         ' .small { font-size: 11px; fill: #555 }')


def panels(results):
    """[((metric, group), its results)] in order."""
    found = {}
    for result in results:
        found.setdefault((result.metric, result.group), []).append(result)
    return list(found.items())


def color(contender):
    """By whose switch it is; the kernel's are grey."""
    return next(value for name, value in COLORS.items() if contender.startswith(name))


def text(x, y, content, kind='', anchor='start'):
    """A line of text."""
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f'{escape(content)}</text>')


def bar(result, x, y, scale):
    """One contender: label, bar, whisker, value."""
    left = x + LABEL
    middle, end = y + BAR / 2, left + result.median * scale
    low, high = left + result.least * scale, left + result.greatest * scale
    return [text(left - 6, y + 12, result.contender, 'small', 'end'),
            f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(end - left, 0.5):.1f}" height="{BAR}"'
            f' fill="{color(result.contender)}"/>',
            f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 4:.1f}v8'
            f'M{high:.1f} {middle - 4:.1f}v8" stroke="#222" fill="none"/>',
            text(max(end, high) + 5, y + 12, number(result.median), 'small')]


def panel(key, rows, x, y):
    """(elements, height) of one panel."""
    title, unit, higher = METRICS[key[0]]
    greatest = max(row.greatest for row in rows)
    scale = (WIDTH - LABEL - VALUE) / greatest if greatest > 0 else 0
    parts = [text(x, y + 13, f'{title}, {key[1]}', 'title'),
             text(x, y + 27, f"{unit}, {'more' if higher else 'less'} is better", 'small')]
    y += HEAD
    for row in rows:
        parts += bar(row, x, y, scale)
        y += BAR + GAP
    return parts, HEAD + len(rows) * (BAR + GAP) + MARGIN


def write_svg(path, facts, results):
    """The whole plot: panels from left to right, row by row."""
    parts, y = [], 2 * MARGIN
    found = panels(results)
    for first in range(0, len(found), COLUMNS):
        tallest = 0
        for column, (key, rows) in enumerate(found[first:first + COLUMNS]):
            drawn, height = panel(key, rows, MARGIN + column * (WIDTH + MARGIN), y)
            parts += drawn
            tallest = max(tallest, height)
        y += tallest
    width = COLUMNS * (WIDTH + MARGIN) + MARGIN
    head = (f"{facts['cpus']} CPUs {facts['cpu']}, Linux {facts['kernel']}, "
            f"{facts['rounds']} round(s): medians, whiskers from least to greatest")
    path.write_text('\n'.join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" '
        f'viewBox="0 0 {width} {y}">', f'<style>{STYLE}</style>',
        f'<rect width="{width}" height="{y}" fill="#fff"/>',
        text(MARGIN, MARGIN + 4, head), *parts, '</svg>', '']))

"""Line plots as SVG text: an axis of sizes that grow by factors, an axis from zero, some lines."""
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 80, 180, 50, 60
COLOURS = ('#1f5fa8', '#b5422b', '#3b7d3b', '#7a4b9a')


def nice_step(top):
    """A step of 1, 2 or 5 times a power of ten that divides the axis into 4 to 10 parts."""
    step = 1e-6
    while True:
        for factor in (1, 2, 5):
            if top / (step * factor) <= 8:
                return step * factor
        step *= 10


def text(x, y, s, anchor='middle', size=13, more=''):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}"{more}>{escape(s)}</text>'


def plot(title, x_title, y_title, xs, lines, limit=None):
    """lines: name -> values, one for each of xs, which stand at equal distances. limit: (value, name), a dashed line."""
    top = max([v for values in lines.values() for v in values] + ([limit[0]] if limit else [])) * 1.1 or 1
    step = nice_step(top)
    x = lambda i: LEFT + (WIDTH - LEFT - RIGHT) * ((i + 0.5) / len(xs))
    y = lambda v: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * v / top
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', text(LEFT, 28, title, 'start', 16)]
    for i in range(int(top / step) + 1):
        v = i * step
        out.append(f'<line x1="{LEFT}" y1="{y(v):.1f}" x2="{WIDTH - RIGHT}" y2="{y(v):.1f}" stroke="#ddd"/>')
        out.append(text(LEFT - 8, y(v) + 4, f'{v:,.10g}', 'end'))
    for i, name in enumerate(xs):
        out.append(text(x(i), HEIGHT - BOTTOM + 20, f'{name:,}'))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x_title))
    out.append(text(18, (TOP + HEIGHT - BOTTOM) / 2, y_title,
                    more=f' transform="rotate(-90 18 {(TOP + HEIGHT - BOTTOM) / 2:.0f})"'))
    for i, (name, values) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        points = ' '.join(f'{x(j):.1f},{y(v):.1f}' for j, v in enumerate(values))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x(j):.1f}" cy="{y(v):.1f}" r="3" fill="{colour}"/>' for j, v in enumerate(values)]
        out.append(f'<rect x="{WIDTH - RIGHT + 16}" y="{TOP + 22 * i}" width="12" height="12" fill="{colour}"/>')
        out.append(text(WIDTH - RIGHT + 34, TOP + 22 * i + 11, name, 'start'))
    if limit:
        out.append(f'<line x1="{LEFT}" y1="{y(limit[0]):.1f}" x2="{WIDTH - RIGHT}" y2="{y(limit[0]):.1f}" '
                   f'stroke="#555" stroke-dasharray="6 4"/>')
        out.append(text(WIDTH - RIGHT + 4, y(limit[0]) + 4, limit[1], 'start', 12))
    return '\n'.join(out + ['</svg>', ''])

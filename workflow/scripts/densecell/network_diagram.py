"""A picture of a network from the steps of one forward pass (`networks.tracing`), in the manner of Guay et al. 2021, Fig. 2a.

Each step is a box: its color is what it does, its number the channels of its output, its row how often the picture was
halved, its height the size there. Shapes stand on top. All lengths are inches.
"""

from dataclasses import dataclass

from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, Patch, Rectangle

GAP, WIDE_GAP = 0.06, 0.26
TALLEST, SHRINK, SHORTEST = 1.7, 0.7, 0.45  # box heights: of level 0, from level to level, at least
ROW_GAP, LANE_GAP = 0.26, 0.38
LABEL, OVER = 0.24, 0.2  # room above a row for horizontal labels, and for arrows that pass over boxes
CHARACTER = 0.092  # width of one character of a label
BESIDE = 0.09  # how far left of an arrow an upright label stands
FONT = 9.5
LINE = "0.35"

# kind -> (color, what the legend says); the order is that of the legend
KINDS = {
    "input": ("#ffffff", "input"),
    "2d": ("#56b4e9", "2D convolution, ReLU"),
    "3d": ("#d55e00", "3D convolution, ReLU"),
    "1x1": ("#f0e442", "1 × 1 convolution, ReLU"),
    "residual_2d": ("#0072b2", "2D residual blocks"),
    "residual_3d": ("#8c2d04", "3D residual blocks"),
    "transformer": ("#7b4fa3", "transformer layers"),
    "dense": ("#b08d57", "dense layer, ReLU"),
    "pool": ("#8c8c8c", "max pool"),
    "mean": ("#c9c9c9", "mean over the slice"),
    "transposed": ("#009e73", "transposed convolution"),
    "resize": ("#a6dcc8", "interpolation"),
    "concatenation": ("#ececec", "concatenation"),
    "sum": ("#ffffff", "sum"),
    "predictor": ("#cc79a7", "class predictor"),
    "softmax": ("#e69f00", "softmax"),
}


def kind_of(step):
    """The key of KINDS of a step: convolutions by their kernel, layers that give the classes as predictor."""
    if step.predictor:
        return "predictor"
    deep = len(step.kernel) == 3 and step.kernel[0] > 1
    if step.kind == "residual":
        return "residual_3d" if deep else "residual_2d"
    if step.kind != "convolution":
        return step.kind
    return "1x1" if set(step.kernel) == {1} else "3d" if deep else "2d"


@dataclass
class Box:
    """Where a step is drawn; `exit` is where what reads it begins (behind the box glued to it)."""

    left: float
    right: float
    level: int
    lane: int
    exit: float = 0.0
    y: float = 0.0
    height: float = 0.0

    @property
    def center(self):
        return (self.left + self.right) / 2

    @property
    def top(self):
        return self.y + self.height / 2

    @property
    def bottom(self):
        return self.y - self.height / 2


def box_width(step):
    """Wider for more channels, by their logarithm."""
    if step.kind == "sum":
        return 0.24
    return 0.14 + 0.019 * step.channels.bit_length()


def glued_pairs(steps):
    """{concatenation: step}: upsampled features that only a concatenation reads are drawn at its right side."""
    readers = {}
    for i, step in enumerate(steps):
        for source in step.sources:
            readers.setdefault(source, []).append(i)
    pairs = {}
    for i, step in enumerate(steps):
        for source in step.sources:
            up = steps[source]
            fits = up.kind in ("transposed", "resize") and up.level == step.level and readers[source] == [i]
            if step.kind == "concatenation" and fits and i not in pairs:
                pairs[i] = source
    return pairs


def arrange(steps):
    """A Box for each step, x and lanes only: as far right as its inputs ask, in the first free lane of its level."""
    glued = glued_pairs(steps)
    boxes, taken = [None] * len(steps), {}
    n_readers = [sum(i in step.sources for step in steps) for i in range(len(steps))]
    for i, step in enumerate(steps):
        if i in glued.values():
            continue
        up = glued.get(i)
        sources = [s for s in step.sources if s != up] + (steps[up].sources if up is not None else [])
        left = 0.0
        for s in sources:
            near = boxes[s].level == step.level and n_readers[s] == 1 and len(sources) == 1
            left = max(left, boxes[s].exit + (GAP if near else WIDE_GAP))
        right = left + box_width(step)
        end = right + box_width(steps[up]) if up is not None else right
        wanted = [boxes[s].lane for s in step.sources if boxes[s] and boxes[s].level == step.level]
        lane = min(wanted, default=0)
        while any(a < end and left < b for a, b in taken.get((step.level, lane), ())):
            lane += 1
        taken.setdefault((step.level, lane), []).append((left, end + GAP))
        boxes[i] = Box(left, right, step.level, lane, end)
        if up is not None:
            boxes[up] = Box(right, end, step.level, lane, end)
    return boxes


def blocked(boxes, a, b):
    """Whether another box lies between two boxes of one lane."""
    first, last = boxes[a], boxes[b]
    between = (x for x in boxes if (x.level, x.lane) == (first.level, first.lane))
    return any(first.exit <= x.left and x.right <= last.left for x in between if x is not first and x is not last)


def edges(steps, glued):
    """(from, to) of each arrow; what is glued needs none."""
    return [(s, i) for i, step in enumerate(steps) for s in step.sources if glued.get(i) != s]


def over(steps, boxes, a, b):
    """Whether the arrow from a to b passes over boxes of its own lane."""
    same = (boxes[a].level, boxes[a].lane) == (boxes[b].level, boxes[b].lane)
    return same and blocked(boxes, a, b)


def shape_text(shape):
    """5 × 300 × 300 without spaces."""
    return "×".join(map(str, shape))


def shape_labels(steps, boxes):
    """(first box, last box, text) for each run of neighboring boxes of one shape that begins with a new shape."""
    order = sorted(range(len(steps)), key=lambda i: (boxes[i].level, boxes[i].lane, boxes[i].left))
    runs = []
    for i in order:
        last = boxes[runs[-1][-1]] if runs else None
        same = last and (last.level, last.lane) == (boxes[i].level, boxes[i].lane)
        if same and boxes[i].left - last.right < 2 * WIDE_GAP and steps[runs[-1][-1]].space == steps[i].space:
            runs[-1].append(i)
        else:
            runs.append([i])
    labels = []
    for run in runs:
        new = [i for i in run if not steps[i].sources or steps[steps[i].sources[0]].space != steps[i].space]
        if new and steps[run[0]].space:
            labels.append((boxes[run[0]], boxes[run[-1]], shape_text(steps[run[0]].space)))
    return labels


def upright(first, last, text):
    """Whether a label is too long for its run and stands upright."""
    return CHARACTER * len(text) > last.right - first.left + GAP


def settle(steps, boxes, labels):
    """Give the boxes their y and height, level below level; returns ({level: y of the arrows above it}, total height)."""
    glued, y, arrows = glued_pairs(steps), 0.0, {}
    for level in sorted({b.level for b in boxes}):
        row = [i for i, b in enumerate(boxes) if b.level == level]
        height = max(SHORTEST, TALLEST * SHRINK**level)
        room = [CHARACTER * len(t) + 0.08 if upright(a, b, t) else LABEL for a, b, t in labels if a.level == level]
        passing = any(over(steps, boxes, a, b) for a, b in edges(steps, glued) if boxes[a].level == level)
        y -= max(room, default=0) + OVER * passing
        arrows[level] = y + max(room, default=0) + OVER / 2
        for i in row:
            flat = not steps[i].space or set(steps[i].space[-2:]) == {1}
            boxes[i].height = min(height, SHORTEST) if flat else height
            if steps[i].kind == "sum":
                boxes[i].height = boxes[i].right - boxes[i].left
            boxes[i].y = y - height / 2 - boxes[i].lane * (height + LANE_GAP)
        y -= (1 + max(boxes[i].lane for i in row)) * (height + LANE_GAP) - LANE_GAP + ROW_GAP
    return arrows, -y


def draw_edge(axes, steps, boxes, a, b, arrow_y):
    """The line or arrow from step a to step b; a crop on the way is told."""
    first, last = boxes[a], boxes[b]
    style = {"color": LINE, "lw": 0.8, "solid_capstyle": "butt", "zorder": 1}
    if over(steps, boxes, a, b):
        y = arrow_y[first.level]
        path = [(first.center, first.top), (first.center, y), (last.center, y), (last.center, last.top)]
    elif last.level < first.level:
        path = [(first.exit, first.y), (last.center, first.y), (last.center, last.bottom)]
    elif (first.level, first.lane) == (last.level, last.lane):
        path = [(first.exit, first.y), (last.left, last.y)]
    else:
        middle = last.left - WIDE_GAP / 2
        path = [(first.exit, first.y), (middle, first.y), (middle, last.y), (last.left, last.y)]
    if len(path) == 2 and last.left - first.exit <= 2 * GAP:
        axes.plot(*zip(*path), **style)
        return
    axes.plot(*zip(*path), **style)
    axes.annotate(
        "", path[-1], path[-2], arrowprops={"arrowstyle": "-|>", "color": LINE, "lw": 0.8, "shrinkA": 0, "shrinkB": 0}
    )
    cropped = steps[b].kind == "concatenation" and steps[a].space != steps[b].space and steps[a].space[-1] != 1
    if cropped:
        style = {"fontsize": FONT - 0.5, "fontstyle": "italic", "ha": "right", "va": "bottom", "color": "0.25"}
        axes.text(last.left - 0.14, path[-1][1] + 0.02, "crop", **style)


def note(step):
    """What is unusual about a step, for under its box: kernel, stride (alone where the kernel is as large: patches), dilation,
    number of residual blocks or transformer layers."""
    lines = [f"{step.repeats} ×"] if step.repeats > 1 else []
    if step.kind == "convolution" and not set(step.kernel) <= {1, 3} and step.kernel != step.stride:
        lines.append(shape_text(step.kernel))
    if step.kind == "convolution" and set(step.stride) != {1}:
        lines.append("/ " + str(step.stride[-1]))
    if step.dilation and max(step.dilation) > 1:
        lines.append(f"d {max(step.dilation)}")
    return "\n".join(lines)


def hatching(kind):
    """Patch options that tell concatenations, which compute nothing, from layers."""
    return {"hatch": "////", "hatchcolor": "0.78"} if kind == "concatenation" else {}


def draw_box(axes, step, box, channels):
    """A box with its channels, upright, and a note below."""
    color = KINDS[kind_of(step)][0]
    dark = sum(w * c for w, c in zip((0.3, 0.59, 0.11), to_rgb(color))) < 0.5
    if step.kind == "sum":
        axes.add_patch(Circle((box.center, box.y), (box.right - box.left) / 2, fc=color, ec=LINE, lw=0.8, zorder=3))
        axes.text(box.center, box.y, "+", ha="center", va="center_baseline", fontsize=FONT + 3, zorder=4)
        return
    corner, width = (box.left, box.bottom), box.right - box.left
    axes.add_patch(Rectangle(corner, width, box.height, fc=color, ec="0.25", lw=0.6, zorder=3, **hatching(step.kind)))
    style = {"rotation": 90, "rotation_mode": "anchor", "fontsize": FONT, "zorder": 4}
    style |= {"ha": "center", "va": "center_baseline"}
    axes.text(box.center, box.y, str(channels), color="white" if dark else "black", **style)
    style = {"ha": "center", "va": "top", "fontsize": FONT - 1, "color": "0.25", "linespacing": 0.95}
    axes.text(box.center, box.bottom - 0.03, note(step), **style)


def draw_outputs(axes, traced, boxes):
    """The main output as an arrow to the right with shape and classes, an auxiliary one below its box."""
    arrow = {"arrowstyle": "-|>", "color": LINE, "lw": 0.8, "shrinkA": 0, "shrinkB": 0}
    for number, (position, shape) in enumerate(traced.outputs):
        box = boxes[position]
        if number:
            axes.annotate("", (box.center, box.bottom - 0.22), (box.center, box.bottom), arrowprops=arrow)
            text = "auxiliary\noutput"
            axes.text(box.center, box.bottom - 0.25, text, ha="center", va="top", fontsize=FONT, linespacing=1)
            continue
        axes.annotate("", (box.right + WIDE_GAP, box.y), (box.right, box.y), arrowprops=arrow)
        text = f"output\n{shape_text(shape[2:])}\n{shape[1]} classes"
        axes.text(box.right + WIDE_GAP + 0.04, box.y, text, ha="left", va="center", fontsize=FONT)


def plan(traced):
    """(boxes, labels, {level: y of passing arrows}, width, height) of the picture of a `networks.tracing.Trace`."""
    boxes = arrange(traced.steps)
    labels = shape_labels(traced.steps, boxes)
    arrow_y, height = settle(traced.steps, boxes, labels)
    return boxes, labels, arrow_y, max(b.right for b in boxes) + WIDE_GAP + 0.95, height


def draw(axes, traced, planned):
    """Draw the network onto Axes whose unit is an inch. planned: from `plan`."""
    boxes, labels, arrow_y, width, height = planned
    glued = glued_pairs(traced.steps)
    passing, rising = [], set()  # (level, x) where an arrow comes down on a box from above; x where one goes up
    for a, b in edges(traced.steps, glued):
        draw_edge(axes, traced.steps, boxes, a, b, arrow_y)
        if over(traced.steps, boxes, a, b):
            passing.append((boxes[a].level, boxes[b].center))
            rising.add(boxes[a].center)
    for i, (step, box) in enumerate(zip(traced.steps, boxes)):
        copied = traced.steps[glued[i]].channels if i in glued else 0
        draw_box(axes, step, box, step.channels - copied)
    for first, last, text in labels:
        if upright(first, last, text):
            middle = (first.left + last.right) / 2
            middle -= BESIDE if middle in rising else 0
            axes.text(middle, first.top + 0.04, text, rotation=90, ha="center", va="bottom", fontsize=FONT)
        else:
            left, length = first.left, CHARACTER * len(text) + GAP
            arrows = [x for level, x in passing if (level, 0) == (first.level, first.lane) and left < x < left + length]
            left = min([left, *(x - length for x in arrows)])
            axes.text(left, first.top + 0.03, text, ha="left", va="bottom", fontsize=FONT)
    draw_outputs(axes, traced, boxes)
    axes.set(xlim=(-0.1, width), ylim=(-height, 0.05), aspect="equal")
    axes.axis("off")


def legend_patches(traced):
    """One handle for each kind of box in the picture."""
    used = {kind_of(step) for step in traced.steps} - {"sum"}
    norm = f"convolution, {traced.norm} norm" if traced.norm else "convolution"
    return [
        Patch(fc=color, ec="0.25", lw=0.6, label=text.replace("convolution,", f"{norm},"), **hatching(kind))
        for kind, (color, text) in KINDS.items()
        if kind in used
    ]

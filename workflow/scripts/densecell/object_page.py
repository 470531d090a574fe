"""The page that turns: one HTML file with the objects of a volume as surfaces, which needs no network.

Meshes are `meshes.Mesh`, (x, y, z) in micrometers in the volume's frame. y and z point as in the stack (z down, slice 0 on top):
the camera stands on its head, so that no number is turned. plotly was chosen since its JavaScript comes with the package and draws,
turns and zooms by itself; the switches beside it are the page's own (object_page.js).
"""

import html
import json
from string import Template
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from densecell import meshes
from densecell.meshes import Mesh
from densecell.page_parts import SCRIPT, STYLE, TEMPLATE

BYTES_PER_TRIANGLE = 18  # 3 x 2 bytes and half a vertex of 12, as base64, with some reserve
LARGEST_TRACE = 130_000  # triangles, so that two bytes are enough for the number of a vertex
FIXED_BYTES = 60_000 + 700  # styles, script, and the record of the scene
BYTES_PER_OBJECT = 1_200
SINGLE_OBJECTS = 200  # of a class; the smallest others are shown and switched together
MARGIN = 0.03  # of the longest side, around the box
FENESTRATIONS = "fenestrations"
LIGHT = {"ambient": 0.45, "diffuse": 0.75, "specular": 0.25, "roughness": 0.6, "fresnel": 0.05}
EYE = {"x": 0.9, "y": 1.5, "z": -1.1}  # from the front (the last row), right, above slice 0


class Shown(NamedTuple):
    """What is shown under one switch: one object, or the smallest of a class together.

    group: the class or record it belongs to; name: as people read it; instance: its number, 0 for several; part: surface or
    fenestrations; mesh; volume_um3: of all voxels, NaN where it isn't known; color: of the object, #rrggbb.
    """

    group: str
    name: str
    instance: int
    part: str
    mesh: Mesh
    volume_um3: float
    color: str


class Group(NamedTuple):
    """A record of objects: its name as people read it, its class color #rrggbb, how translucent it is at first (0 to 1)."""

    name: str
    color: str
    opacity: float


def triangles_that_fit(page_mb, n_objects):
    """Triangles for which a page of `page_mb` megabytes has room. Raises ValueError where that is too little for anything."""
    rest = page_mb * 1e6 - len(get_plotlyjs().encode()) - FIXED_BYTES - BYTES_PER_OBJECT * n_objects
    if rest < 12 * n_objects * BYTES_PER_TRIANGLE:
        least = (page_mb * 1e6 - rest + 100 * n_objects * BYTES_PER_TRIANGLE) / 1e6
        raise ValueError(
            f"meshes.page_mb: expected room for {n_objects} objects beside plotly, at least {least:.1f}, found {page_mb}. "
            "Raise it, or leave some records out with mesh: false."
        )
    return int(rest / BYTES_PER_TRIANGLE)


def together(shown):
    """The same with at most SINGLE_OBJECTS single objects in each group and part; the smallest others are joined into one."""
    kept, waiting = [], {}
    for one in shown:
        waiting.setdefault((one.group, one.part), []).append(one)
    for (group, part), members in waiting.items():
        by_size = sorted(members, key=lambda one: (-meshes.volume_um3(one.mesh), one.instance))
        single, others = by_size[:SINGLE_OBJECTS], by_size[SINGLE_OBJECTS:]
        kept += sorted(single, key=lambda one: one.instance)
        if others:
            volume, mesh = sum(one.volume_um3 for one in others), meshes.joined([one.mesh for one in others])
            kept.append(Shown(group, f"{len(others)} smaller ones", 0, part, mesh, volume, others[0].color))
    return kept


def _trace(one, group, place):
    """A Mesh3d of plotly; numbers are stored in as few bytes as they need."""
    vertices = one.mesh.vertices.astype(np.float32)
    number = np.uint16 if len(vertices) < 2**16 else np.uint32
    i, j, k = np.ascontiguousarray(one.mesh.faces.T.astype(number))
    x, y, z = np.ascontiguousarray(vertices.T)
    known = "" if np.isnan(one.volume_um3) else f"<br>{one.volume_um3:.4g} µm³"
    text = f"{html.escape(group.name)}: {html.escape(one.name)}{known}<extra></extra>"
    look = {"color": group.color, "opacity": group.opacity, "lighting": LIGHT, "flatshading": False}
    far = {"x": 1e4, "y": 1e4, "z": -1e5}
    return go.Mesh3d(
        x=x, y=y, z=z, i=i, j=j, k=k, name=one.name, hovertemplate=text, lightposition=far, meta=place, **look
    )


def _outline(low, high):
    """The 12 edges of the volume's box, and a scale bar along x at its lower front edge, as lines."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (high - low) + low
    pairs = [(a, b) for a in range(8) for b in range(a) if bin(a ^ b).count("1") == 1]
    gap = np.full(3, np.nan)
    edges = np.array([point for a, b in pairs for point in (corners[a], corners[b], gap)], np.float32)
    x, y, z = np.ascontiguousarray(edges.T)
    line = {"color": "#999999", "width": 2}
    return go.Scatter3d(x=x, y=y, z=z, mode="lines", line=line, hoverinfo="skip", showlegend=False, name="box")


def _scale_bar(low, high, length_um):
    """A bar of `length_um` along x, in front of and below the box."""
    offset = MARGIN * (high - low).max()
    y, z = float(high[1] + offset), float(high[2] + offset)
    ends = np.array([low[0], low[0] + length_um], np.float32)
    label = {"mode": "lines+text", "text": ["", f"{length_um:g} µm"], "textposition": "middle right"}
    line = {"color": "black", "width": 8}
    return go.Scatter3d(
        x=ends, y=[y, y], z=[z, z], line=line, hoverinfo="skip", showlegend=False, name="scale bar", **label
    )


def _layout(low, high):
    """Axes in micrometers at equal scale, seen in parallel, so that the scale bar holds everywhere."""
    margin = 2 * MARGIN * (high - low).max()
    axes = {}
    for name, first, last in zip("xyz", low, high):
        grid = {"showbackground": False, "gridcolor": "#e6e6e6", "zeroline": False, "showspikes": False}
        axes[f"{name}axis"] = {"title": {"text": f"{name} (µm)"}, "range": [first - margin, last + margin], **grid}
    camera = {"up": {"x": 0, "y": 0, "z": -1}, "eye": EYE, "projection": {"type": "orthographic"}}
    scene = {**axes, "aspectmode": "data", "camera": camera, "dragmode": "orbit"}
    empty = {"l": 0, "r": 0, "t": 0, "b": 0}
    return go.Layout(
        scene=scene, margin=empty, showlegend=False, paper_bgcolor="white", template=None, uirevision="kept"
    )


def object_page(title, shown, groups, low_um, high_um, bar_um, notes):
    """The page as HTML text.

    shown: [Shown]; groups: {name: Group}, in the order of the switches; low_um, high_um: corners (x, y, z) of the volume's box;
    bar_um: length of the scale bar; notes: sentences below the picture.
    """
    low, high = np.array(low_um, float), np.array(high_um, float)
    figure = go.Figure(layout=_layout(low, high))
    figure.add_traces([_outline(low, high), _scale_bar(low, high, bar_um)])
    records = []
    for one in shown:
        key = one.group if one.part == "surface" else f"{one.group} {FENESTRATIONS}"
        place = len(figure.data)
        figure.add_trace(_trace(one, groups[key], place))
        volume = None if np.isnan(one.volume_um3) else round(one.volume_um3, 9)
        records.append({"group": key, "name": one.name, "trace": place, "color": one.color, "volume": volume})
    data = {"groups": [{"key": key, **group._asdict()} for key, group in groups.items()], "objects": records}
    return Template(TEMPLATE).substitute(
        title=html.escape(title),
        style=STYLE,
        notes=" ".join(html.escape(note) for note in notes),
        plotly=get_plotlyjs(),
        figure=_in_script(figure.to_json()),
        data=_in_script(json.dumps(data, sort_keys=True)),
        script=SCRIPT,
    )


def _in_script(text):
    """JSON that may stand within a script element."""
    return text.replace("<", "\\u003c")

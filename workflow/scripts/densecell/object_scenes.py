"""What 3D pictures of objects show and how: which record lies in which, what is translucent, which color.

A record of objects is a dict with name, class and within (the name of the record that contains it, or None).
"""

from densecell.meshes import smoothed
from densecell.object_colors import object_colors

FENESTRATIONS = "fenestrations"
FENESTRATION_COLOR = "#00c8ff"
OPACITIES = (1.0, 0.3, 0.12)  # of what contains nothing that is shown, of its container, of a container of containers


def levels(records):
    """{name: how many layers of containers the record is around others that are shown}: 0 where nothing lies in it."""
    level = {record["name"]: 0 for record in records}
    for _ in records:
        for record in records:
            if record["within"] in level:
                level[record["within"]] = max(level[record["within"]], level[record["name"]] + 1)
    return level


def opacities(records):
    """{name: 0..1}, so that what lies in something can be seen in it."""
    return {name: OPACITIES[min(level, len(OPACITIES) - 1)] for name, level in levels(records).items()}


def hex_color(color):
    """(red, green, blue) uint8 as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*(int(c) for c in color))


def object_color(instance):
    """The color of an object among others, #rrggbb: the same in every picture."""
    return hex_color(object_colors([instance])[0])


def box_um(shape, voxel_size_nm, origin_nm):
    """Outer corners (x, y, z) of a volume in micrometers; the origin is the center of voxel 0."""
    low = [(o - size / 2) * 1e-3 for o, size in zip(origin_nm, voxel_size_nm)]
    high = [a + n * size * 1e-3 for a, n, size in zip(low, shape, voxel_size_nm)]
    return tuple(low[::-1]), tuple(high[::-1])


def for_pictures(parts):
    """{name: Mesh} with the steps between slices rounded off."""
    return {name: smoothed(mesh) for name, mesh in parts.items()}

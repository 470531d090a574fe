"""Whether the axes and the voxel size of a raw stack are plausible: the image tells how fast it changes along each axis."""

import numpy as np

from densecell.findings import Finding

SWAPPED = 0.1  # by how much the correlation along a fine axis falls short of that along the coarse one
ALIKE = 0.05  # the two axes that really lie in the plane differed by 0.02 at most in 24 stacks with exchanged axes
PLACEHOLDER_NM = 1.0
UNALIKE_SPACING = 2.5  # factor between the declared z step and the one that the image suggests


def implied_z_step_nm(stack, voxel_size_nm):
    """Distance in the plane at which the image has changed as much as from slice to slice, nm; nan if out of reach.

    Independent noise lowers both correlations alike, and shifts are taken away, so that the two can be compared.
    """
    r_z = stack.correlations["z"]
    steps = []
    for axis, size in (("y", voxel_size_nm[1]), ("x", voxel_size_nm[2])):
        r = np.array([1.0, *stack.correlations[axis]])
        r = r[: int(np.isfinite(r).sum())]
        if len(r) > 1 and r[-1] < r_z:
            below = int(np.argmax(r < r_z))
            fraction = (r[below - 1] - r_z) / max(r[below - 1] - r[below], 1e-9)
            steps.append((below - 1 + fraction) * size)
    return float(np.mean(steps)) if len(steps) == 2 else float("nan")


def is_exchanged(r, fastest, shape):
    """Whether nothing but exchanged axes explains that the image changes fastest along `fastest`, 'y' or 'x'.

    r: {axis: correlation at one voxel}; shape: (Z, Y, X). Exchanged axes lower one correlation and leave the other two alike, and
    a stack has fewer slices than rows and columns. A pattern of the camera, repeated slices and structures along z lower both
    correlations in the plane; columns of a detector and sheets may lower one, but the image is no narrower for it.
    """
    other = "x" if fastest == "y" else "y"
    is_shortest = shape["zyx".index(fastest)] < min(shape[0], shape["zyx".index(other)])
    return r[other] - r[fastest] > SWAPPED and abs(r["z"] - r[other]) <= ALIKE and is_shortest


def axes_and_spacing(stack, voxel_size_nm):
    """Whether the coarse axis of the declared voxel is the one along which the image changes fastest."""
    z, y, x = voxel_size_nm
    text = f"({z:g}, {y:g}, {x:g}) nm (z, y, x)"
    if voxel_size_nm.count(PLACEHOLDER_NM) == 3:
        todo = "Give the size from the microscope; areas, volumes and margins are in nm. A true 1 nm: checks.accept: [voxel_size]."
        yield Finding("voxel_size", "error", "the volume", "a measured size", text, "voxel_size_nm", todo)
        return
    if not y / 2 <= x <= 2 * y:
        todo = "Give it as (z, y, x), and the axes of the file in axes."
        yield Finding(
            "voxel_size", "warning", "the volume", "pixels about as wide as high", text, "voxel_size_nm", todo
        )
    if z < 0.8 * min(y, x):
        todo = "Give it as (z, y, x): z is the distance of the slices."
        yield Finding(
            "voxel_size", "warning", "the volume", "slices no closer than pixels", text, "voxel_size_nm", todo
        )
    r = {"z": stack.correlations["z"], "y": stack.correlations["y"][0], "x": stack.correlations["x"][0]}
    if not all(np.isfinite(list(r.values()))) or z < 1.5 * max(y, x):
        return
    fastest = min(r, key=r.get)
    found = f"correlation at one voxel: z {r['z']:.2f}, y {r['y']:.2f}, x {r['x']:.2f}"
    if fastest != "z" and r["z"] - r[fastest] > SWAPPED:
        found += f"; it changes fastest along {fastest}, though z is declared coarsest, {text}"
        severity, todo = "error", f"Correct axes (is the file's {fastest} the slice axis?), or voxel_size_nm."
        if not is_exchanged(r, fastest, stack.shape):
            severity = "warning"
            todo = f"Look at it: if the file's {fastest} is the slice axis, correct axes. Slices saved twice, a pattern of the camera and fibers along z look so, too."
        yield Finding("axes_swapped", severity, "the volume", "the fastest change along z", found, "axes", todo)
        return
    step = implied_z_step_nm(stack, voxel_size_nm)
    if step * UNALIKE_SPACING < z:
        found += f"; slices differ as pixels {step:.0f} nm apart do, the declared distance is {z:g} nm"
        todo = "Check the order (z, y, x) and the unit of voxel_size_nm; a stack resampled to cubes has the new size."
        yield Finding("z_spacing", "warning", "the volume", f"about {step:.0f} nm", found, "voxel_size_nm", todo)

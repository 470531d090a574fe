"""Render the organelles of a label volume as surfaces in 3D: all together in their cells, and each class by itself.

Marching cubes with the physical voxel size and light smoothing that keeps volumes; a volume of more than --max-voxels
is reduced by the majority of blocks, slab by slab. The camera follows from the size of the volume alone, so pictures
of one region can be compared. A class that is absent is said to be so.
"""

import imagecodecs

from command_line import Arguments, json_argument, run
from densecell import files, surfaces
from densecell.videos import TITLE_PX, ScenePage, scene_size
from figure_output import display_name
from rendering_output import Labels, add_label_arguments, use_offscreen_rendering

WIDTH, HEIGHT = 1000, 900
TOGETHER = "organelles"  # the picture of all organelle classes; no class has this name


def meshes_shown(subject, classes):
    """Names of the meshes in the picture of a subject: TOGETHER or an organelle class."""
    names = [classes.names[i] for i in classes.organelles]
    if subject == TOGETHER:
        return [*names, surfaces.CELL]
    if subject in names:
        return [subject]
    raise ValueError(f"subjects: expected {TOGETHER} or one of {', '.join(names)}, found {subject!r}")


def main(argv=None):
    arguments = Arguments(__doc__)
    add_label_arguments(arguments)
    arguments.parameter("subjects", f"JSON list: {TOGETHER}, or a class", json_argument, required=True)
    arguments.parameter("max_voxels", "voxels to which larger volumes are reduced", int, 32_000_000)
    arguments.output("outputs", "pictures (png), in the order of the subjects", several=True)
    args = arguments.parse(argv)

    labels = Labels(args)
    shown = {subject: meshes_shown(subject, labels.classes) for subject in args.subjects}
    use_offscreen_rendering()
    meshes = labels.surfaces(args.max_voxels)
    room = [display_name(name) for name in max(shown.values(), key=len)]  # equal scenes in all pictures
    width, height = scene_size(WIDTH, HEIGHT, room)
    with surfaces.Scene(meshes, labels.colors, labels.size_um, width, height) as scene:
        for (subject, names), path in zip(shown.items(), args.outputs, strict=True):
            legend = labels.legend(meshes, names)
            title = f"{labels.title}, {display_name(subject)}"
            page = ScenePage(WIDTH, HEIGHT, title, legend, scene.um_per_px, room)
            nothing = all(meshes[name] is None for name in names if name != surfaces.CELL)
            note = f"{display_name(subject)}: {labels.absent}" if nothing else ""
            # for figures that show the scene small: where it lies on the page, its scale, what is written into it
            scene_box = [0, TITLE_PX, *page.scene_size]
            picture = {"scene_box_px": scene_box, "um_per_px": scene.um_per_px, "note": note}
            with files.writing(path, {**args.record, "picture": picture}) as partial:
                partial.write_bytes(imagecodecs.png_encode(page.draw(scene.picture(names), scene.axis_places(), note)))


if __name__ == "__main__":
    run(main)

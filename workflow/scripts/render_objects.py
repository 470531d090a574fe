"""Render the objects of a volume as surfaces in 3D: containers translucent around what lies in them, holes in a color of their own.

Surfaces are those of the mesh files, rounded for looks. The camera follows from the size of the volume alone, so pictures of one
volume can be compared.
"""

import imagecodecs

from command_line import Arguments, run
from densecell import files
from object_pictures import Objects, add_object_arguments
from rendering_output import use_offscreen_rendering

WIDTH, HEIGHT = 1000, 900


def main(argv=None):
    arguments = Arguments(__doc__)
    add_object_arguments(arguments)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    use_offscreen_rendering()
    objects = Objects(args)
    scene, page = objects.scene(WIDTH, HEIGHT)
    with scene:
        note = "" if objects.meshes else "none found"
        picture = page.draw(scene.picture(list(objects.meshes)), scene.axis_places(), note)
    print(f"{objects.title}: {len(objects.meshes)} surfaces {note}")
    with files.writing(args.output, args.record) as partial:
        partial.write_bytes(imagecodecs.png_encode(picture))


if __name__ == "__main__":
    run(main)

"""Film the objects of a volume, turning once around the stack's z axis: surfaces as in render_objects, as mp4.

Surfaces are made once and simplified to --max-triangles; then only the camera turns. The last frame leads on to the first.
"""

from command_line import Arguments, run
from densecell import surfaces
from object_pictures import Objects, add_object_arguments
from progress import Progress
from rendering_output import new_video, use_offscreen_rendering


def main(argv=None):
    arguments = Arguments(__doc__)
    add_object_arguments(arguments)
    arguments.parameter("seconds", "length of one turn", float, 8.0)
    arguments.parameter("frames_per_second", "frames per second", int, 25)
    arguments.parameter("size_px", "width and height", int, 640)
    arguments.output("output", "video (mp4)")
    args = arguments.parse(argv)

    use_offscreen_rendering()
    objects = Objects(args)
    n_frames = max(1, round(args.seconds * args.frames_per_second))
    progress, names = Progress(n_frames, "frames"), list(objects.meshes)
    scene, page = objects.scene(args.size_px, args.size_px)
    with scene, new_video(args.output, page.width, page.height, args.frames_per_second, args.record) as add_frame:
        for i in range(n_frames):
            azimuth = surfaces.AZIMUTH + 360 * i / n_frames
            add_frame(
                page.draw(scene.picture(names, azimuth), scene.axis_places(azimuth), "" if names else "none found")
            )
            progress.step()


if __name__ == "__main__":
    run(main)

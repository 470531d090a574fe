"""Film the organelles of a label volume, turning once around the stack's z axis: surfaces as in render_surfaces, as mp4.

Surfaces are made once and simplified to --max-triangles; then only the camera turns. The last frame leads on to the
first.
"""

from command_line import Arguments, run
from densecell import surfaces
from densecell.videos import ScenePage, scene_size
from figure_output import display_name
from progress import Progress
from rendering_output import Labels, add_label_arguments, new_video, use_offscreen_rendering


def main(argv=None):
    arguments = Arguments(__doc__)
    add_label_arguments(arguments)
    arguments.parameter("seconds", "length of one turn", float, 8.0)
    arguments.parameter("frames_per_second", "frames per second", int, 25)
    arguments.parameter("size_px", "width and height", int, 640)
    arguments.parameter("max_voxels", "voxels to which larger volumes are reduced", int, 8_000_000)
    arguments.parameter("max_triangles", "triangles to which the surfaces are simplified", int, 200_000)
    arguments.output("output", "video (mp4)")
    args = arguments.parse(argv)

    labels = Labels(args)
    use_offscreen_rendering()
    meshes = labels.surfaces(args.max_voxels, args.max_triangles)
    names = [name for name in meshes if name != surfaces.CELL] + [surfaces.CELL]
    n_frames = max(1, round(args.seconds * args.frames_per_second))
    progress = Progress(n_frames, "frames")
    width, height = scene_size(args.size_px, args.size_px, [display_name(name) for name in names])
    with surfaces.Scene(meshes, labels.colors, labels.size_um, width, height) as scene:
        page = ScenePage(args.size_px, args.size_px, labels.title, labels.legend(meshes, names), scene.um_per_px)
        with new_video(args.output, page.width, page.height, args.frames_per_second, args.record) as add_frame:
            for i in range(n_frames):
                azimuth = surfaces.AZIMUTH + 360 * i / n_frames
                add_frame(page.draw(scene.picture(names, azimuth), scene.axis_places(azimuth)))
                progress.step()


if __name__ == "__main__":
    run(main)

"""Film how a network learns, from snapshots of its class probabilities in one slice: two videos (mp4).

Probabilities: one panel for each class but those of the background, tinted from black to the class color.
Segmentation: the image, the reference and the likeliest class. The snapshots' folder holds steps.json and a volume
<class>.ome.zarr (T, Y, X) uint8, probability x 255, for each class. Snapshots are read and written one by one; each
is shown equally long, so that a video lasts about --seconds (longer where there are more snapshots than frames).
"""

from pathlib import Path

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import files, io, rendering
from densecell.classes import Classes
from densecell.videos import PanelPage, color_ramp, likeliest_class
from figure_output import display_name
from plot_segmentation import read_plane
from progress import Progress
from rendering_output import new_video

N_COLUMNS = 3


class Snapshots:
    """The snapshots of a folder: `steps` (T), `slice` of the region, `voxel_nm` (z, y, x) and `shape` (Y, X)."""

    def __init__(self, folder, class_names):
        facts = files.read_json(Path(folder) / "steps.json")
        missing = {"steps", "slice", "voxel_size_nm"} - set(facts)
        if missing:
            raise ValueError(f"{folder}/steps.json: expected the key {', '.join(sorted(missing))}, found none")
        self.steps, self.slice, self.voxel_nm = facts["steps"], facts["slice"], tuple(facts["voxel_size_nm"])
        self.volumes = [io.open_volume(Path(folder) / f"{name}.ome.zarr") for name in class_names]
        self.shape = self.volumes[0].shape[1:]
        for volume in self.volumes:
            if volume.shape != (len(self.steps), *self.shape) or volume.dtype != np.uint8:
                raise ValueError(
                    f"{volume.path}: expected uint8 (T, Y, X) = {(len(self.steps), *self.shape)}, a map for each of the "
                    f"steps in steps.json, found {volume.dtype} {volume.shape}. Record the training again"
                )

    def __len__(self):
        return len(self.steps)

    def __getitem__(self, t):
        """(n_classes, Y, X) uint8 probabilities x 255 of snapshot t."""
        return np.stack([volume.read_slice(t) for volume in self.volumes])


def read_slices(args, snapshots):
    """The image as RGB (Y, X, 3) uint8 and the reference's labels (Y, X) in the snapshots' slice."""
    image, reference = io.open_volume(args.image), io.open_volume(args.reference)
    box = image.attributes.get("inner", [[0, n] for n in image.shape])
    if reference.shape[1:] != snapshots.shape or not snapshots.slice < reference.shape[0]:
        raise ValueError(
            f"{args.reference}: expected slices {snapshots.shape} (y, x) and more than {snapshots.slice} of them, as in "
            f"the snapshots, found {reference.shape}. Record the training again"
        )
    plane = read_plane(image, snapshots.slice, box).astype(np.float64)
    darkest, brightest = rendering.gray_range(plane)
    gray = np.rint(255 * np.clip((plane - darkest) / (brightest - darkest), 0, 1)).astype(np.uint8)
    return gray[..., None].repeat(3, axis=2), read_plane(reference, snapshots.slice)


def film(path, page, pictures_of, snapshots, args):
    """Write one video: page.draw of each snapshot's pictures, `pictures_of(probabilities)`."""
    repeats = max(1, round(args.seconds * args.frames_per_second / len(snapshots)))
    progress = Progress(len(snapshots), "snapshots")
    with new_video(path, page.width, page.height, args.frames_per_second, args.record) as add_frame:
        for t, step in enumerate(snapshots.steps):
            frame = page.draw(f"{args.title}, slice {snapshots.slice}: step {step:,}", pictures_of(snapshots[t]))
            for _ in range(repeats):
                add_frame(frame)
            progress.step()


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("snapshots", "folder of the snapshots")
    arguments.input("image", "image of the region (OME-Zarr)")
    arguments.input("reference", "reference labels of the region (OME-Zarr)")
    arguments.parameter("title", "title of the videos", required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)
    arguments.parameter("seconds", "length of a video", float, 8.0)
    arguments.parameter("frames_per_second", "frames per second", int, 25)
    arguments.output("probabilities", "video of the probabilities (mp4)")
    arguments.output("segmentation", "video of the segmentation (mp4)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    colors = rendering.class_colors(args.colors, classes.names)
    snapshots = Snapshots(args.snapshots, classes.names)
    image, reference = read_slices(args, snapshots)

    foreground = [i for i, group in enumerate(classes.groups) if group != "background"]
    ramps = [color_ramp(colors[i]) for i in foreground]
    names = [display_name(classes.names[i]) for i in foreground]
    page = PanelPage(names, min(N_COLUMNS, len(names)), snapshots.shape, snapshots.voxel_nm, ramps=ramps)
    film(args.probabilities, page, lambda p: [r[p[i]] for i, r in zip(foreground, ramps)], snapshots, args)

    legend = [(display_name(name), color) for name, color in zip(classes.names, colors)]
    page = PanelPage(["image", "reference", "likeliest class"], 3, snapshots.shape, snapshots.voxel_nm, legend=legend)
    page.draw("", [image, rendering.color_labels(reference, colors), None])

    def segmented(probabilities):
        return [None, None, rendering.color_labels(likeliest_class(probabilities), colors)]

    film(args.segmentation, page, segmented, snapshots, args)


if __name__ == "__main__":
    run(main)

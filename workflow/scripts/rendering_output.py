"""What the scripts of 3D pictures and videos share: which labels, a way to render without a screen, a video file."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from command_line import json_argument
from densecell import files, io, surfaces
from densecell.classes import Classes
from densecell.rendering import class_colors
from figure_output import display_name

WINDOWS = ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow", "")  # "": VTK's own choice, which asks for a screen
PROBE = "import pyvista as pv; p = pv.Plotter(off_screen=True, window_size=(32, 32)); p.add_mesh(pv.Sphere()); "
PROBE += "assert p.screenshot(return_img=True).std() > 1"
CONSTANT_RATE_FACTOR = "18"  # visually lossless
BITEXACT = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1", "-threads", "1"]


def use_offscreen_rendering():
    """Make VTK render without a screen, by the first of EGL, OSMesa and VTK's own choice that draws a test picture.

    Asked in a process of its own, since VTK may crash where a library is missing. A VTK_DEFAULT_OPENGL_WINDOW set by
    the user is kept. Raises OSError where nothing renders.
    """
    chosen = os.environ.get("VTK_DEFAULT_OPENGL_WINDOW")
    for window in [chosen] if chosen else WINDOWS:
        environment = {**os.environ, "VTK_DEFAULT_OPENGL_WINDOW": window}
        command = [sys.executable, "-c", PROBE]
        if subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0:
            os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = window
            return
    raise OSError(
        f"3D rendering without a screen: expected EGL or OSMesa, found neither (tried {chosen or 'both'}). "
        "Install Mesa's EGL (Debian, Ubuntu: apt-get install libegl1 libgl1-mesa-dri; conda: mesalib), or leave "
        "renderings and videos.rotations empty"
    )


# ------------------------------------------------------------------------------------------------------------- labels
def add_label_arguments(arguments):
    """The arguments that say which labels to show and how."""
    arguments.input("labels", "label volume (OME-Zarr)", required=False)
    arguments.input("chosen", "instead: chosen.json of an ensemble, which tells the k", required=False)
    arguments.setting("predictions", "with it: the folder of the ensemble's predictions of the region")
    arguments.parameter("title", "title of the pictures", required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)


class Labels:
    """The labels that the arguments name: `volume`, `title`, the word for an `absent` class, `classes` and `colors`."""

    def __init__(self, args):
        if bool(args.labels) == bool(args.chosen) or bool(args.chosen) != bool(args.predictions):
            raise ValueError(
                "expected either --labels, or --chosen with --predictions; found both, neither or one alone"
            )
        path, self.title, self.absent = args.labels, args.title, "none labelled"
        if args.chosen:
            k = files.read_json(args.chosen)["k"]
            path, self.absent = Path(args.predictions) / f"top{k}.ome.zarr", "none predicted"
            args.record["parents"][str(path)] = files.content_id(path)
            self.title += f" top {k}"
        self.title = display_name(self.title)
        self.volume = io.open_volume(path)
        self.classes = Classes.from_records(args.classes)
        colors = class_colors(args.colors, self.classes.names)
        self.colors = dict(zip(self.classes.names, colors))
        self.colors[surfaces.CELL] = colors[self.classes.groups.index("cell")]

    @property
    def size_um(self):
        """Size of the volume (z, y, x) in micrometers."""
        return [n * nm * 1e-3 for n, nm in zip(self.volume.shape, self.volume.voxel_size_nm)]

    def surfaces(self, max_voxels, max_triangles=None):
        """{name: surface or None} of `surfaces.class_surfaces`; says on stdout how they were made."""
        labels, voxel_nm, factors = surfaces.read_reduced(self.volume, len(self.classes), max_voxels)
        meshes = surfaces.class_surfaces(labels, voxel_nm, self.classes, max_triangles)
        size = f"{self.volume.shape} voxels of {self.volume.voxel_size_nm} nm (z, y, x)"
        print(f"{self.title}: {size}, reduced by {factors} (majority of each block)")
        print(
            f"surfaces: marching cubes, windowed-sinc smoothing {surfaces.SMOOTHING}, at most {max_triangles} triangles"
        )
        for name, mesh in meshes.items():
            found = f"{mesh.n_cells:,} triangles around {mesh.volume:.4g} µm³" if mesh else self.absent
            print(f"  {display_name(name)}: {found}")
        return meshes

    def legend(self, meshes, names):
        """[(name as shown, remark, color, opacity)] of the meshes in `names`; the remark tells which are absent."""
        entries = []
        for name in names:
            remark = "" if meshes[name] is not None else f" ({self.absent.split()[0]})"
            opacity = 2 * surfaces.CELL_OPACITY if name == surfaces.CELL else 1
            entries.append((display_name(name), remark, self.colors[name], opacity))
        return entries


# ------------------------------------------------------------------------------------------------------------- videos
@contextlib.contextmanager
def new_video(path, width, height, frames_per_second, record):
    """Write an mp4 (H.264, yuv420p) frame by frame, whole or not at all; equal frames give equal bytes.

    Yields a function that takes the next frame, (height, width, 3) uint8; width and height are even. Raises OSError
    where ffmpeg fails.
    """
    with files.writing(path, record) as partial:
        encoder = imageio_ffmpeg.write_frames(
            str(partial),
            (int(width), int(height)),
            fps=frames_per_second,
            codec="libx264",
            quality=None,
            macro_block_size=2,
            ffmpeg_log_level="error",
            output_params=["-crf", CONSTANT_RATE_FACTOR, *BITEXACT, "-movflags", "+faststart", "-f", "mp4"],
        )
        encoder.send(None)
        n_frames = 0

        def add_frame(frame):
            nonlocal n_frames
            encoder.send(np.ascontiguousarray(frame))
            n_frames += 1

        try:
            yield add_frame
        finally:
            encoder.close()
        n_written = count_frames(partial)
        if n_written != n_frames:  # nobody tells how ffmpeg ended
            raise OSError(
                f"{path}: ffmpeg wrote {n_written} of {n_frames} frames; its message is above. Is the disk full?"
            )


def count_frames(path):
    """How many frames of a video can be read; 0 where there is none."""
    try:
        return imageio_ffmpeg.count_frames_and_secs(str(path))[0]
    except (RuntimeError, OSError):
        return 0

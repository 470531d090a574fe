"""Snapshots of a network in training: its probabilities of one slice, every so many steps.

They become the videos of how a network learns. Each snapshot is a file of its own until the training ends, so a resumed
run goes on where it was.
"""

from pathlib import Path

import numpy as np

from densecell import files, io, prediction


class Snapshots:
    """Called with (network, step); writes the slice's probabilities (n_classes, Y, X) as uint8, times 255, to `folder`.

    image: (Z, Y, X) float32 normalized; index: the slice; tile: the network's input (Z, Y, X). The slice is predicted in
    the middle of as many slices as the tile is deep, fewer at the border of the image.
    """

    def __init__(self, folder, image, index, every_steps, tile, n_classes, computation, activation="softmax"):
        if not 0 <= index < len(image):
            raise ValueError(f"videos.training.slice: expected 0 to {len(image) - 1}, found {index}.")
        self.folder, self.every_steps, self.tile = Path(folder), every_steps, tuple(tile)
        self.n_classes, self.computation, self.activation = n_classes, computation, activation
        start = max(0, index - tile[0] // 2)
        self.slices, self.index = image[start : index + tile[0] // 2 + 1], index - start

    def __call__(self, network, step):
        """Predict and write one snapshot; the network goes back to training mode."""
        network.eval()
        member = prediction.Member(network, self.tile)
        probabilities = prediction.predict_probabilities(
            member, self.slices, self.n_classes, self.computation, activation=self.activation
        )
        network.train()
        frame = np.rint(255 * probabilities[:, self.index]).astype(np.uint8)
        self.folder.mkdir(parents=True, exist_ok=True)
        with files.writing(self._path(step), {}) as partial, open(partial, "wb") as handle:
            np.save(handle, frame)

    def _path(self, step):
        return self.folder / f"step{step:09d}.npy"

    def _read(self, step):
        files.check_content(self._path(step))
        return np.load(self._path(step), allow_pickle=False)

    def gather(self, output, n_steps, class_names, about, voxel_size_nm, record):
        """Write one volume (T, Y, X) per class and steps.json below `output`, then remove the single snapshots.

        about: what steps.json holds beside the steps (region, slice, every_steps). T is the number of snapshots.
        """
        steps = [step for step in range(0, n_steps + 1, self.every_steps) if self._path(step).exists()]
        shape = (len(steps), *self.slices.shape[1:])
        for c, name in enumerate(class_names):
            path = Path(output) / f"{name}.ome.zarr"
            with io.new_volume(path, shape, np.uint8, (1.0, *voxel_size_nm[1:]), (0, 0, 0), record) as writer:
                depth = writer.slab_depth
                for start in range(0, len(steps), depth):
                    some = steps[start : start + depth]
                    writer.write(start, np.stack([self._read(s)[c] for s in some]))
        facts = {"steps": steps, "voxel_size_nm": list(voxel_size_nm), **about}
        files.write_json(Path(output) / "steps.json", facts, record)
        files.remove(self.folder)

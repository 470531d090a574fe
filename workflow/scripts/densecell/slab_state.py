"""How far a prediction has come, so that a killed job goes on where it stopped.

The stores grow in one folder that survives the job, with ``state.json`` beside them: a fingerprint of all that the
result depends on, the slices that are written, and the hashes of their shards. A state of another fingerprint is discarded
with its stores; one whose shards are not those that were written is refused.
"""

from pathlib import Path

from densecell import files


class SlabState:
    """The restart state of one prediction in `folder`.

    done: how many slices, counted from the first one of the job's slab, are written and on disk: a multiple of the depth
    of a shard, or all of them; 0 for a fresh start. Use::

        state = SlabState(folder, fingerprint)
        with io.new_volume(path, ..., unfinished=state.store(path)) as writer, ...:
            for each layer of shards from state.done on:
                writer.write(...)
                state.save(done, writers)
        state.remove()  # after the stores are in place, that is outside the `with`
    """

    def __init__(self, folder, fingerprint):
        self.folder, self.fingerprint, self.done = Path(folder), fingerprint, 0
        self._stores, self._hashes = {}, {}
        state = self._read()
        stores = [self.folder / name for name in state.get("stores", ())]
        if state.get("fingerprint") == fingerprint and stores and all(s.is_dir() for s in stores):
            self.done, self._hashes = state["done"], state["hashes"]
            self._check()
        else:
            self.remove()

    def _read(self):
        if not (self.folder / "state.json").exists():
            return {}
        try:
            return files.read_sealed(self.folder / "state.json", "fingerprint", "done", "stores", "hashes")
        except ValueError as error:
            raise ValueError(self._unusable("state.json can't be read")) from error

    def _check(self):
        """Raise ValueError unless the shards are as they were written: their hashes in the sidecars would bless damage."""
        for name, expected in self._hashes.items():
            if not (self.folder / name).is_file() or files.hash_file(self.folder / name) != expected:
                raise ValueError(self._unusable(f"{name} is missing or damaged"))

    def _unusable(self, what):
        return (
            f"{self.folder}: unreadable restart state, {what}. Delete this folder; the prediction then starts afresh."
        )

    def store(self, path):
        """Where the store that will become `path` grows: a folder named after it and its folder. ValueError if taken."""
        path = Path(path)
        name = (Path(path.parent.name) / path.name).as_posix()
        if self._stores.setdefault(name, path) != path:
            raise ValueError(f"{path}: has the name and folder of {self._stores[name]}; write it elsewhere.")
        return self.folder / name

    def save(self, done, writers):
        """Note that the slab's first `done` slices are written by all `writers` (io.StoreWriter), once they are on disk."""
        for writer in writers:
            store = writer.folder.relative_to(self.folder)
            self._hashes |= {(store / name).as_posix(): value for name, value in writer.sync().items()}
        state = {"fingerprint": self.fingerprint, "done": done, "stores": sorted(self._stores), "hashes": self._hashes}
        files.write_sealed(self.folder / "state.json", state)
        self.done = done

    def remove(self):
        """Delete the state, then the stores that grew beside it: the outputs are in place. In this order, so that a crash on
        the way never leaves a state that tells of stores which are gone."""
        if self.folder.exists():
            (self.folder / "state.json").unlink(missing_ok=True)
            files.sync(self.folder)
            files.remove(self.folder)

"""Zarr stores from strangers: only regular files inside the store, only known codecs, and no chunk larger than it declares.

A codec named in a store's metadata is a program to run on its chunks; numcodecs has one that unpickles, which runs code.
"""

import asyncio
import bz2
import json
import math
import stat
import struct
import zlib
from pathlib import Path

import imagecodecs
import numcodecs.abc
import zarr
import zarr.codecs
import zarr.storage

CODECS = ("bytes", "transpose", "sharding_indexed", "gzip", "zstd", "blosc", "crc32c")  # of zarr 3
COMPRESSORS = ("gzip", "zlib", "zstd", "blosc", "lz4", "bz2")  # of zarr 2
METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
LARGEST_METADATA_BYTES = 2**24
LARGEST_CHUNK_BYTES = 2**33
LARGEST_SLICE_BYTES = 2**34
LARGEST_SLICE_COUNT = 10_000_000
DEEPEST_NESTING = 100


def check_regular(path):
    """Raise ValueError for what is no regular file: reading a pipe waits for ever, reading a device may do anything."""
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise ValueError(f"{path}: expected a regular file, found a folder, pipe or device.")


class RegularFiles(zarr.storage.LocalStore):
    """A store on disk that gives regular files below its own folder only, and metadata that has been looked at."""

    async def get(self, key, prototype=None, byte_range=None):
        path = await asyncio.to_thread(self._checked, key)
        return None if path is None else await super().get(key, prototype, byte_range)

    async def get_partial_values(self, prototype, key_ranges):
        key_ranges = list(key_ranges)
        for key, _ in key_ranges:
            await asyncio.to_thread(self._checked, key)
        return await super().get_partial_values(prototype, key_ranges)

    def _checked(self, key):
        path = self.root / key
        if not path.exists():
            return None
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise ValueError(
                f"{path}: a link that leads out of the store {self.root}. Copy the store with what it links to."
            )
        if path.is_dir():
            return None
        check_regular(path)
        if path.name in METADATA:
            check_metadata(path)
        return path


def open_node(path):
    """The group or array at `path`, to be read only."""
    if not Path(path).is_dir():
        raise ValueError(f"{path}: expected the folder of a Zarr store, found something else.")
    return zarr.open(RegularFiles(Path(path), read_only=True), mode="r", use_consolidated=False)


def check_metadata(path):
    """Raise ValueError for a metadata file that is too large or names codecs and layouts that are not known to be safe."""
    size = path.stat().st_size
    if size > LARGEST_METADATA_BYTES:
        raise ValueError(f"{path}: metadata of {size:,} bytes, expected at most {LARGEST_METADATA_BYTES:,}.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (RecursionError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path}: not a JSON file ({error}).") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path}: expected a JSON object.")
    if path.name == "zarr.json" and record.get("node_type") == "array":
        _check_codecs(path, record.get("codecs"))
        if record.get("storage_transformers"):
            raise ValueError(f"{path}: names storage transformers, which are not read.")
    if path.name == ".zarray":
        compressor, filters = record.get("compressor"), record.get("filters")
        name = compressor.get("id") if isinstance(compressor, dict) else compressor
        if name is not None and name not in COMPRESSORS:
            raise ValueError(f"{path}: the compressor {name!r} is not read; known: {', '.join(COMPRESSORS)}.")
        if filters:
            raise ValueError(f"{path}: names filters, which are not read. Save the array again without them.")


def _check_codecs(path, codecs, depth=0):
    if not isinstance(codecs, list) or depth > 3:
        raise ValueError(f"{path}: expected a list of codecs, shards at most {depth} deep.")
    for codec in codecs:
        name = codec.get("name") if isinstance(codec, dict) else codec
        if name not in CODECS:
            raise ValueError(f"{path}: the codec {name!r} is not read; known: {', '.join(CODECS)}.")
        if name == "sharding_indexed":
            inner = codec.get("configuration", {}) if isinstance(codec, dict) else {}
            _check_codecs(path, inner.get("codecs"), depth + 1)
            _check_codecs(path, inner.get("index_codecs", []), depth + 1)


def checked_array(array, path):
    """`array` with codecs that never unpack more than a chunk declares. Raises ValueError for absurd sizes."""
    if not isinstance(array, zarr.Array):
        raise ValueError(f"{path}: expected an array of numbers, found a group.")
    itemsize = array.dtype.itemsize
    for kind, sides, most in (
        ("chunk", array.chunks, LARGEST_CHUNK_BYTES),
        ("shard", array.shards or (), 16 * LARGEST_CHUNK_BYTES),
        ("slice", sorted(array.shape)[-2:], LARGEST_SLICE_BYTES),
        ("side", array.shape and (max(array.shape),), LARGEST_SLICE_COUNT * itemsize),
    ):
        if math.prod(sides) * itemsize > most:
            raise ValueError(f"{path}: declares a {kind} of {tuple(sides)} {array.dtype}: more than {most:,} bytes.")
    metadata = array.metadata
    if metadata.zarr_format == 2:
        chunk_bytes = math.prod(metadata.chunks) * itemsize
        compressor = metadata.compressor and Bounded(metadata.compressor, chunk_bytes)
        object.__setattr__(metadata, "compressor", compressor)
    else:
        object.__setattr__(metadata, "codecs", tuple(map(_bounded, metadata.codecs)))
    store_path = array._async_array.store_path
    return zarr.Array(zarr.AsyncArray(metadata=metadata, store_path=store_path))


class Bounded(numcodecs.abc.Codec):
    """A compressor of zarr 2 that unpacks no more than a chunk."""

    def __init__(self, inner, n_bytes):
        self.inner, self.n_bytes, self.codec_id = inner, n_bytes, inner.codec_id

    def encode(self, buf):
        raise ValueError("a stranger's store is only read")

    def decode(self, buf, out=None):
        return unpack(self.codec_id, self.inner, bytes(buf), self.n_bytes)


def _bounded(codec):
    kinds = {
        zarr.codecs.GzipCodec: ("gzip", "_gzip_codec"),
        zarr.codecs.ZstdCodec: ("zstd", "_zstd_codec"),
        zarr.codecs.BloscCodec: ("blosc", "_blosc_codec"),
    }
    if isinstance(codec, zarr.codecs.ShardingCodec):
        return zarr.codecs.ShardingCodec(
            chunk_shape=codec.chunk_shape, codecs=tuple(map(_bounded, codec.codecs)), index_codecs=codec.index_codecs,
            index_location=codec.index_location,
        )  # fmt: skip
    return BoundedBytes(codec, *kinds[type(codec)]) if type(codec) in kinds else codec


class BoundedBytes(zarr.abc.codec.BytesBytesCodec):
    """A compressor of zarr 3 that unpacks no more than a chunk."""

    is_fixed_size = False

    def __init__(self, codec, name, attribute):
        self.codec, self.name, self.attribute = codec, name, attribute

    def to_dict(self):
        return self.codec.to_dict()

    def compute_encoded_size(self, input_byte_length, chunk_spec):
        raise NotImplementedError

    def evolve_from_array_spec(self, array_spec):
        return BoundedBytes(self.codec.evolve_from_array_spec(array_spec), self.name, self.attribute)

    async def _decode_single(self, chunk_bytes, chunk_spec):
        n_bytes = math.prod(chunk_spec.shape) * chunk_spec.dtype.to_native_dtype().itemsize
        inner = getattr(self.codec, self.attribute)
        content = await asyncio.to_thread(unpack, self.name, inner, chunk_bytes.to_bytes(), n_bytes)
        return chunk_spec.prototype.buffer.from_bytes(bytes(content))


def unpack(name, codec, packed, n_bytes):
    """Unpack a chunk with the numcodecs codec `codec`; ValueError if it holds more than `n_bytes`, before they are made."""
    if name in ("gzip", "zlib"):
        reader = zlib.decompressobj(zlib.MAX_WBITS + 32)  # + 32: either header
        content = reader.decompress(packed, n_bytes + 1)
        if not reader.eof and len(content) <= n_bytes:
            raise ValueError("a chunk ends early")
    elif name == "bz2":
        content = bz2.BZ2Decompressor().decompress(packed, n_bytes + 1)
    else:
        declared = _declared_bytes(name, packed)
        if declared is None:
            content = imagecodecs.zstd_decode(packed, out=n_bytes)
        elif declared > n_bytes:
            raise ValueError(f"a chunk that unpacks to {declared:,} bytes, where the array's chunks have {n_bytes:,}")
        else:
            content = codec.decode(packed)
    if len(content) > n_bytes:
        raise ValueError(f"a chunk that unpacks to more than the {n_bytes:,} bytes that the array's chunks have")
    return content


def _declared_bytes(name, packed):
    """What the header of packed bytes says that they unpack to; None where zstd's does not say it."""
    if name == "lz4":
        return struct.unpack("<I", packed[:4])[0]
    if name == "blosc":
        return struct.unpack("<I", packed[4:8])[0]
    if packed[:4] != b"\x28\xb5\x2f\xfd":
        raise ValueError("a chunk that is not packed with zstd")
    flags = packed[4]  # RFC 8878, 3.1.1.1
    is_single = flags >> 5 & 1
    start = 5 + (1 - is_single) + (0, 1, 2, 4)[flags & 3]
    length = (is_single, 2, 4, 8)[flags >> 6]
    value = int.from_bytes(packed[start : start + length], "little")
    return value + 256 * (length == 2) if length else None

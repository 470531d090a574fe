"""Which input sizes each network takes and how large its output is, without torch."""


def _hybrid_side(side, options):
    return side // 8 * 8 or None


def _unet_side(side, options):
    if options.get("padding") == "same":
        return side if side % 16 == 0 else None
    return side - 184 if side % 16 == 12 and side >= 188 else None


# network -> output side (y or x) for an input side, None where it can't take that; z is free and unchanged
NETWORK_SIZES = {"hybrid_2d3d_333": _hybrid_side, "unet_2d": _unet_side}


def output_size(network, window, options):
    """Output size (z, y, x) of a network for an input `window` (z, y, x); None where it can't take it."""
    sides = [NETWORK_SIZES[network](side, options) for side in window[1:]]
    return None if None in sides else (window[0], *sides)


def nearest_sides(network, side, options):
    """The valid input sides (y or x) next to an invalid `side`: one below (if any) and one above."""
    takes = NETWORK_SIZES[network]
    below = next((n for n in range(side, 0, -1) if takes(n, options)), None)
    above = next(n for n in range(side, side + 1000) if takes(n, options))
    return [above] if below is None else [below, above]

"""What the keys of `analysis` say about each other and the data: foreground comparison and removal of small regions.

Each check takes the resolved configuration, in which None stands for what the schema has already refused, and
yields findings.
"""

import data_checks
from config_checks import by_name, names_in, unknown_name
from config_schema import Finding, did_you_mean, show

SCORED_ROLES = ("eval", "test", "compare")


def check_analysis(config, shapes):
    """Findings about `analysis`. shapes: {("volumes", name): (Z, Y, X) of the files}."""
    yield from check_foreground_regions(config)
    yield from check_foreground_sources(config, shapes)
    where = "analysis.small_regions"
    for j, name in enumerate(config["analysis"]["small_regions"]["ensembles"] or ()):
        yield from unknown_name(f"{where}.ensembles[{j}]", name, "ensembles", names_in(config, "ensembles"))


def check_foreground_regions(config):
    """Regions exist, are scored, and their background is labelled; there is a source to score in each."""
    settings, regions = config["analysis"]["foreground"], by_name(config, "regions")
    external = [record["region"] for record in settings["external"]]
    for j, name in enumerate(settings["regions"] or ()):
        where = f"analysis.foreground.regions[{j}]"
        yield from unknown_name(where, name, "regions", list(regions))
        region = regions.get(name)
        if not region or region["role"] is None:
            continue
        if region["role"] not in SCORED_ROLES:
            expected = f"a region of role {', '.join(SCORED_ROLES)}"
            yield Finding(where, f"'{name}' of role {region['role']}", expected, "Choose another region.")
        if region["mask"] == "reference":
            hint = "Leave the region out, or set its mask: none where its background is labelled everywhere."
            expected = "a region with mask: none, as the background outside the reference's cells is scored too"
            yield Finding(where, f"'{name}' with mask: reference", expected, hint)
        if not settings["ensembles"] and name not in external:
            hint = "Name ensembles, or an external volume of this region."
            expected = "at least one source: ensembles, or an external volume of the region"
            yield Finding(where, f"'{name}' without a source to score", expected, hint)


def check_foreground_sources(config, shapes):
    """Ensembles exist; external volumes have a name of their own, a listed region, and files of the region's size."""
    settings, regions = config["analysis"]["foreground"], by_name(config, "regions")
    ensembles = names_in(config, "ensembles")
    for j, name in enumerate(settings["ensembles"] or ()):
        yield from unknown_name(f"analysis.foreground.ensembles[{j}]", name, "ensembles", ensembles)
    seen = set()
    for i, record in enumerate(settings["external"]):
        where = f"analysis.foreground.external[{i}]"
        name, listed = record["name"], list(settings["regions"] or ())
        if name in ensembles or (name, record["region"]) in seen:
            found = f"'{name}', " + ("an ensemble's name" if name in ensembles else "a second time for this region")
            yield Finding(f"{where}.name", found, "a name of its own in its region", "Rename it.")
        seen.add((name, record["region"]))
        if record["region"] is not None and record["region"] not in listed:
            expected = f"one of analysis.foreground.regions: {', '.join(listed) or 'none there'}"
            hint = did_you_mean(record["region"], listed) or f"Add '{record['region']}' to analysis.foreground.regions."
            yield Finding(f"{where}.region", show(record["region"]), expected, hint)
        if record["path"] is not None:
            shape = yield from data_checks.check_source(where, record)
            yield from _check_size(where, config, regions.get(record["region"]), shape, shapes)


def _check_size(where, config, region, shape, shapes):
    """The volume is as large as the region, along the axes whose range is known before alignment."""
    volume = region and by_name(config, "volumes").get(region["volume"])
    if not shape or not volume or region["frame"] != "aligned":
        return
    aligned = volume["alignment"]["method"] == "none"
    whole = shapes.get(("volumes", volume["name"]))
    sizes = []
    for j, axis in enumerate("zyx"):
        if region[axis]:
            sizes.append(region[axis][1] - region[axis][0])
        elif whole and (aligned or axis == "z"):  # alignment crops y and x
            sizes.append(-(-whole[j] // volume["binning"][j]))
        else:
            sizes.append(None)
    wrong = [f"{axis} {n} instead of {size}" for axis, n, size in zip("zyx", shape, sizes) if size not in (None, n)]
    if wrong:
        expected = f"exactly the region '{region['name']}', which is {show(sizes)} voxels (z, y, x)"
        hint = "Crop the volume to the region, or correct path or axes."
        yield Finding(f"{where}.path", f"(z, y, x) = {show(list(shape))}: {', '.join(wrong)}", expected, hint)

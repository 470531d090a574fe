"""Which 3D pictures of objects are drawn: those that `scenes` lists, or one of each kind that a volume has objects for.

A scene is a dict of name, objects (names in instances), color, instances and fenestrations.
"""

from config_checks import by_name, names_in, unknown_name
from config_schema import Finding, show
from instance_checks import volumes_of

ALL = "all"


def scenes_of(config, records):
    """{name: scene} of a volume. records: {name: record of `instances`} of those that have meshes there.

    Where `scenes` is empty: all records together, each by itself with its objects in colors of their own, and each container
    with what lies in it.
    """
    if not records:
        return {}
    if config["scenes"]:
        return {s["name"]: s for s in config["scenes"] if set(s["objects"]) <= set(records)}
    scenes = [(ALL, list(records), "class")]
    scenes += [(name, [name], "object") for name in records]
    for name in records:
        inner = [other for other, record in records.items() if record["within"] == name]
        if inner and {name, *inner} != set(records):
            scenes.append((f"{name}_with_contents", [name, *inner], "class"))
    return {
        name: {"name": name, "objects": objects, "color": color, "instances": None, "fenestrations": color == "class"}
        for name, objects, color in scenes
    }


def check_scenes(config):
    """Objects of scenes that exist and have meshes, containers first where objects are chosen: what lies in these is found by them.

    Takes the resolved configuration, yields findings.
    """
    records = by_name(config, "instances")
    for i, scene in enumerate(config["scenes"]):
        for j, name in enumerate(scene["objects"] or ()):
            where = f"scenes[{i}].objects[{j}]"
            yield from unknown_name(where, name, "instances", names_in(config, "instances"))
            if name in records and records[name]["mesh"] is False:
                yield Finding(
                    where, show(name), "a record with mesh: true", "Set mesh: true there, or leave it out here."
                )
            elif name in records and scene["instances"] and records[name]["within"] in scene["objects"][j + 1 :]:
                expected = f"its container '{records[name]['within']}' before it, since instances are chosen"
                yield Finding(where, show(name), expected, "Change the order.")
            elif name in records and scene["instances"] and j and not _tied(name, scene["objects"], records):
                within = records[name]["within"]
                hint = f"Name '{within}' before it." if within else "Leave it out."
                expected = "objects that lie in some of those before them, since instances are chosen"
                yield Finding(where, show(name), expected, hint)
        known = [set(volumes_of(records[name], config)) for name in scene["objects"] or () if name in records]
        if len(known) > 1 and all(known) and not set.intersection(*known):
            found, hint = ", ".join(scene["objects"]), "Make a scene for each volume."
            yield Finding(f"scenes[{i}].objects", found, "records that hold in one volume", hint)


def _tied(name, objects, records):
    """Whether objects lie in others of a scene, or others in them."""
    return records[name]["within"] in objects or any(o in records and records[o]["within"] == name for o in objects)

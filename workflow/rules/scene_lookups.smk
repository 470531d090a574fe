"""What the rules of surfaces and 3D pictures of objects look up."""

import scene_records

MESHED = {volume: [o for v, o in instances_with("mesh") if v == volume] for volume in VOLUMES}
SCENES = {v: scene_records.scenes_of(config, {o: INSTANCES[o] for o in names}) for v, names in MESHED.items()}
MESH_FORMATS = ["glb", *config["meshes"]["formats"]]
MESH_SETTINGS = as_json(
    {
        **{k: v for k, v in config["meshes"].items() if k not in ("formats", "page_mb")},
        **{k: config["morphology"][k] for k in ("smoothing_voxels", "closing_radius", "min_voxels")},
    }
)


def objects_in(volume, scene=None):
    """The records of objects that a 3D picture of a volume shows: a scene's, or all."""
    return SCENES[volume][scene]["objects"] if scene else MESHED[volume]


def mesh_files(volume, scene=None):
    """Their meshes."""
    return [f"{R}/meshes/{volume}/{objects}.glb" for objects in objects_in(volume, scene)]


def scene_parents(volume, scene):
    """Tables of where objects lie, of those whose containers are shown, in a scene of chosen objects."""
    names = objects_in(volume, scene) if SCENES[volume][scene]["instances"] else []
    inner = [name for name in names if INSTANCES[name]["within"] in names]
    return [f"{R}/instances/{volume}/{name}/parents.csv" for name in inner]


def mesh_records(volume, scene=None):
    """What scripts are told of these records, as JSON."""
    keys = ("name", "class", "within")
    return as_json([{key: INSTANCES[o][key] for key in keys} for o in objects_in(volume, scene)])


def scene_colors(volume, scene=None):
    """The colors of their classes, as JSON."""
    used = dict.fromkeys(INSTANCES[o]["class"] for o in objects_in(volume, scene))
    return as_json({name: config["figures"]["colors"][name] for name in used})


def scene_look(volume, scene=None):
    """How a scene is drawn, as JSON; without a scene all is shown in the colors of the classes."""
    look = SCENES[volume][scene] if scene else {"color": "class", "instances": None, "fenestrations": True}
    return select(look, "color", "instances", "fenestrations")

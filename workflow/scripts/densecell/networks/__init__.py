"""The table of networks and how to build one by name.

A network is an ``nn.Module`` made by ``NETWORKS[name]``: module and class, loaded only when asked for, so that reading
this table needs no torch and editing one network never touches the others.

Contract: ``build_network(name, n_channels=1, n_classes=7, base_width=..., **options)`` gives a module that maps
(N, C_in, Z, Y, X) to a tuple of logits (N, n_classes, Z', Y', X'), the main output first, auxiliary ones after it, all
centered in the input; it has ``output_shape(input_shape)``, ``receptive_field()``, ``parameter_groups()``,
``same_padding`` (False: inputs are larger than outputs, so prediction tiles need no overlap) and ``shift_step`` (z, y, x):
moved by so many voxels, the input moves the output by as much (the product of the pools).
"""

import difflib
import importlib

NETWORKS = {
    "hybrid_2d3d_333": ("hybrid_2d3d", "Hybrid2D3D333"),
    "hybrid_2d3d_no_333": ("hybrid_2d3d", "Hybrid2D3DNo333"),
    "hybrid_2d3d_no_pyramid": ("hybrid_2d3d", "Hybrid2D3DNoPyramid"),
    "hybrid_2d3d": ("hybrid_2d3d", "Hybrid2D3D"),
    "unet_2d": ("unet_2d", "UNet2D"),
    "unet_3d_thick": ("unet_3d", "UNet3DThick"),
    "unet_3d_thin": ("unet_3d", "UNet3DThin"),
    "deepvess": ("deepvess", "DeepVess"),
    "medicalnet": ("medicalnet", "MedicalNet"),
    "deeplab_drn": ("deeplab", "DeeplabDRN"),
    "deeplab_resnet101": ("deeplab", "DeeplabResNet101"),
    "resunet": ("resunet", "ResUNet"),
    "setr_pup": ("setr", "SETRPUP"),
    "transunet": ("transunet", "TransUNet"),
}


def build_network(name, **options):
    """The network called `name`, with random weights.

    Raises ValueError for an unknown name, listing the known ones and the nearest.
    """
    if name not in NETWORKS:
        near = difflib.get_close_matches(name, NETWORKS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"experiments.network: unknown network {name!r}{hint} Known: {', '.join(sorted(NETWORKS))}.")
    module, class_name = NETWORKS[name]
    return getattr(importlib.import_module(f"densecell.networks.{module}"), class_name)(**options)

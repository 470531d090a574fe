"""The words of the paragraph on methods: what the names in a configuration mean, lists and sizes."""

NETWORKS = {
    "hybrid_2d3d_333": "the hybrid 2D-3D network with 3 x 3 x 3 convolutions [@guay2021]",
    "hybrid_2d3d_no_333": "the hybrid 2D-3D network without 3 x 3 x 3 convolutions in its encoder and decoder [@guay2021]",
    "hybrid_2d3d_no_pyramid": "the hybrid 2D-3D network without its spatial pyramid [@guay2021]",
    "hybrid_2d3d": "the plain hybrid 2D-3D network, the forerunner of the published one [@guay2021]",
    "unet_2d": "the 2D U-Net, slice by slice [@ronneberger2015]",
    "unet_3d_thick": "a 3D U-Net for thick blocks [@cicek2016]",
    "unet_3d_thin": "a 3D U-Net for thin blocks [@cicek2016]",
    "deepvess": "DeepVess [@haftjavaherian2019]",
    "medicalnet": "a dilated 3D ResNet after MedicalNet [@chen2019], not pretrained",
    "deeplab_drn": "DeepLab v3+ over a dilated residual network, slice by slice [@chen2018; @yu2017], not pretrained",
    "deeplab_resnet101": "DeepLab v3+ over ResNet-101, slice by slice [@chen2018; @he2016], not pretrained",
    "resunet": "the residual U-Net for FIB-SEM stacks, slice by slice [@machireddy2023]",
    "setr_pup": "SETR-PUP over a vision transformer, slice by slice [@zheng2021; @dosovitskiy2021], not pretrained",
    "transunet": "TransUNet, slice by slice [@chen2021; @dosovitskiy2021], not pretrained",
}
NORMS = {"instance": "instance normalization [@ulyanov2016]", "batch": "batch normalization [@ioffe2015]"}
OPTIMIZERS = {"adam": "Adam [@kingma2015]", "adamw": "AdamW [@loshchilov2019]"}
DECAYS = {"adam": "weight decay (L2, in the gradient)", "adamw": "weight decay (decoupled)"}
SWITCHES = {"predictor_relu": "a ReLU on the predictors", "pyramid_z_upsampling": "upsampling in z in the pyramid"}
SWITCHES |= {"z_downsampling": "downsampling in z", "gray_to_rgb": "three equal input channels"}
SWITCHES |= {"shortcut_norm": "a norm in the shortcuts"}
ALIGNMENTS = {
    "global": "the cross-correlation of whole slices",
    "tiles": "the cross-correlation of 16 random tiles, of which those that agree with their median are averaged",
}
NORMALIZATIONS = {
    "zscore": "to mean 0 and standard deviation 1",
    "percentile": "so that the 1 % percentile became 0 and the 99 % percentile 1, clipped",
    "unit": "by the largest value of their type, to 0 to 1",
}
SLICE_METHODS = {
    "equalize": "by histogram equalization [@machireddy2023]",
    "match": "by matching its histogram to that of evenly spaced slices of its volume",
    "percentile": "by bringing its 1 % and 99 % percentiles to the ends of the range",
    "clahe": "by contrast-limited adaptive histogram equalization",
}
ROLES = {
    "train": "trained on",
    "eval": "used to choose checkpoints, networks and the size of ensembles",
    "test": "used for the scores that are reported, and for nothing else",
    "compare": "used to compare label sources with each other and with networks",
}


def sizes(values):
    """(z, y, x) in words: 50 x 10 x 10."""
    return " x ".join(f"{value:g}" for value in values)


def listed(words):
    """a, b and c."""
    words = [str(word) for word in words]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def by_value(records, value):
    """{value of a record: [names of the records that have it]}, in order of appearance."""
    found = {}
    for record in records:
        found.setdefault(value(record), []).append(record["name"])
    return found

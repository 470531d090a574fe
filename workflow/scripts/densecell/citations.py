"""The works behind the methods: how they are cited in a text, and their BibTeX entries.

A text cites with marks, `[@guay2021]` or `[@guay2021; @cicek2016]`.
"""

import re

from densecell.citations_of_objects import OBJECT_WORKS

MARK = re.compile(r"\[(@\w+(?:; @\w+)*)\]")

# key: (as cited, kind of entry, {field: value}); with "and others" where the authors are many
CITATIONS = {
    "guay2021": (
        "Guay et al. 2021",
        "article",
        {
            "author": "Guay, Matthew D. and Emam, Zeyad A. S. and Anderson, Adam B. and Aronova, Maria A. and Pokrovskaya, Irina "
            "D. and Storrie, Brian and Leapman, Richard D.",
            "title": "Dense cellular segmentation for {EM} using {2D--3D} neural network ensembles",
            "journal": "Scientific Reports",
            "volume": "11",
            "pages": "2561",
            "year": "2021",
            "doi": "10.1038/s41598-021-81590-0",
        },
    ),
    "machireddy2023": (
        "Machireddy et al. 2023",
        "article",
        {
            "author": "Machireddy, Archana and others",
            "title": "Segmentation of cellular ultrastructures on sparsely labeled {3D} electron microscopy images using deep "
            "learning",
            "journal": "Frontiers in Bioinformatics",
            "volume": "3",
            "year": "2023",
            "doi": "10.3389/fbinf.2023.1308708",
        },
    ),
    "guizar2008": (
        "Guizar-Sicairos et al. 2008",
        "article",
        {
            "author": "Guizar-Sicairos, Manuel and Thurman, Samuel T. and Fienup, James R.",
            "title": "Efficient subpixel image registration algorithms",
            "journal": "Optics Letters",
            "volume": "33",
            "pages": "156--158",
            "year": "2008",
            "doi": "10.1364/OL.33.000156",
        },
    ),
    "ronneberger2015": (
        "Ronneberger et al. 2015",
        "inproceedings",
        {
            "author": "Ronneberger, Olaf and Fischer, Philipp and Brox, Thomas",
            "title": "{U-Net}: Convolutional Networks for Biomedical Image Segmentation",
            "booktitle": "Medical Image Computing and Computer-Assisted Intervention (MICCAI)",
            "pages": "234--241",
            "year": "2015",
            "doi": "10.1007/978-3-319-24574-4_28",
        },
    ),
    "cicek2016": (
        "Çiçek et al. 2016",
        "inproceedings",
        {
            "author": "Çiçek, Özgün and Abdulkadir, Ahmed and Lienkamp, Soeren S. and Brox, Thomas and Ronneberger, Olaf",
            "title": "{3D U-Net}: Learning Dense Volumetric Segmentation from Sparse Annotation",
            "booktitle": "Medical Image Computing and Computer-Assisted Intervention (MICCAI)",
            "pages": "424--432",
            "year": "2016",
            "doi": "10.1007/978-3-319-46723-8_49",
        },
    ),
    "haftjavaherian2019": (
        "Haft-Javaherian et al. 2019",
        "article",
        {
            "author": "Haft-Javaherian, Mohammad and others",
            "title": "Deep convolutional neural networks for segmenting {3D} in vivo multiphoton images of vasculature in "
            "{Alzheimer} disease mouse models",
            "journal": "PLOS ONE",
            "volume": "14",
            "year": "2019",
            "doi": "10.1371/journal.pone.0213539",
        },
    ),
    "chen2019": (
        "Chen et al. 2019",
        "misc",
        {
            "author": "Chen, Sihong and Ma, Kai and Zheng, Yefeng",
            "title": "{Med3D}: Transfer Learning for {3D} Medical Image Analysis",
            "year": "2019",
            "eprint": "1904.00625",
            "archiveprefix": "arXiv",
        },
    ),
    "chen2018": (
        "Chen et al. 2018",
        "inproceedings",
        {
            "author": "Chen, Liang-Chieh and Zhu, Yukun and Papandreou, George and Schroff, Florian and Adam, Hartwig",
            "title": "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation",
            "booktitle": "European Conference on Computer Vision (ECCV)",
            "year": "2018",
            "doi": "10.1007/978-3-030-01234-2_49",
        },
    ),
    "yu2017": (
        "Yu et al. 2017",
        "inproceedings",
        {
            "author": "Yu, Fisher and Koltun, Vladlen and Funkhouser, Thomas",
            "title": "Dilated Residual Networks",
            "booktitle": "IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
            "year": "2017",
            "doi": "10.1109/CVPR.2017.75",
        },
    ),
    "he2016": (
        "He et al. 2016",
        "inproceedings",
        {
            "author": "He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian",
            "title": "Deep Residual Learning for Image Recognition",
            "booktitle": "IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
            "year": "2016",
            "doi": "10.1109/CVPR.2016.90",
        },
    ),
    "dosovitskiy2021": (
        "Dosovitskiy et al. 2021",
        "misc",
        {
            "author": "Dosovitskiy, Alexey and others",
            "title": "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
            "year": "2021",
            "eprint": "2010.11929",
            "archiveprefix": "arXiv",
        },
    ),
    "zheng2021": (
        "Zheng et al. 2021",
        "inproceedings",
        {
            "author": "Zheng, Sixiao and others",
            "title": "Rethinking Semantic Segmentation from a Sequence-to-Sequence Perspective with Transformers",
            "booktitle": "IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
            "year": "2021",
            "doi": "10.1109/CVPR46437.2021.00681",
        },
    ),
    "chen2021": (
        "Chen et al. 2021",
        "misc",
        {
            "author": "Chen, Jieneng and others",
            "title": "{TransUNet}: Transformers Make Strong Encoders for Medical Image Segmentation",
            "year": "2021",
            "eprint": "2102.04306",
            "archiveprefix": "arXiv",
        },
    ),
    "ulyanov2016": (
        "Ulyanov et al. 2016",
        "misc",
        {
            "author": "Ulyanov, Dmitry and Vedaldi, Andrea and Lempitsky, Victor",
            "title": "Instance Normalization: The Missing Ingredient for Fast Stylization",
            "year": "2016",
            "eprint": "1607.08022",
            "archiveprefix": "arXiv",
        },
    ),
    "ioffe2015": (
        "Ioffe and Szegedy 2015",
        "misc",
        {
            "author": "Ioffe, Sergey and Szegedy, Christian",
            "title": "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift",
            "year": "2015",
            "eprint": "1502.03167",
            "archiveprefix": "arXiv",
        },
    ),
    "kingma2015": (
        "Kingma and Ba 2015",
        "misc",
        {
            "author": "Kingma, Diederik P. and Ba, Jimmy",
            "title": "Adam: A Method for Stochastic Optimization",
            "year": "2015",
            "eprint": "1412.6980",
            "archiveprefix": "arXiv",
        },
    ),
    "loshchilov2019": (
        "Loshchilov and Hutter 2019",
        "misc",
        {
            "author": "Loshchilov, Ilya and Hutter, Frank",
            "title": "Decoupled Weight Decay Regularization",
            "year": "2019",
            "eprint": "1711.05101",
            "archiveprefix": "arXiv",
        },
    ),
    "mann1947": (
        "Mann and Whitney 1947",
        "article",
        {
            "author": "Mann, H. B. and Whitney, D. R.",
            "title": "On a Test of Whether one of Two Random Variables is Stochastically Larger than the Other",
            "journal": "The Annals of Mathematical Statistics",
            "volume": "18",
            "pages": "50--60",
            "year": "1947",
            "doi": "10.1214/aoms/1177730491",
        },
    ),
    "holm1979": (
        "Holm 1979",
        "article",
        {
            "author": "Holm, Sture",
            "title": "A Simple Sequentially Rejective Multiple Test Procedure",
            "journal": "Scandinavian Journal of Statistics",
            "volume": "6",
            "pages": "65--70",
            "year": "1979",
            "url": "https://www.jstor.org/stable/4615733",
        },
    ),
    "tarone1990": (
        "Tarone 1990",
        "article",
        {
            "author": "Tarone, R. E.",
            "title": "A Modified {Bonferroni} Method for Discrete Data",
            "journal": "Biometrics",
            "volume": "46",
            "pages": "515--522",
            "year": "1990",
            "doi": "10.2307/2531456",
        },
    ),
    "efron1979": (
        "Efron 1979",
        "article",
        {
            "author": "Efron, B.",
            "title": "Bootstrap Methods: Another Look at the Jackknife",
            "journal": "The Annals of Statistics",
            "volume": "7",
            "pages": "1--26",
            "year": "1979",
            "doi": "10.1214/aos/1176344552",
        },
    ),
    "meila2007": (
        "Meilă 2007",
        "article",
        {
            "author": "Meilă, Marina",
            "title": "Comparing clusterings: an information based distance",
            "journal": "Journal of Multivariate Analysis",
            "volume": "98",
            "pages": "873--895",
            "year": "2007",
            "doi": "10.1016/j.jmva.2006.11.013",
        },
    ),
    "csurka2013": (
        "Csurka et al. 2013",
        "inproceedings",
        {
            "author": "Csurka, Gabriela and Larlus, Diane and Perronnin, Florent",
            "title": "What is a good evaluation measure for semantic segmentation?",
            "booktitle": "British Machine Vision Conference (BMVC)",
            "year": "2013",
            "doi": "10.5244/C.27.32",
        },
    ),
    "molder2021": (
        "Mölder et al. 2021",
        "article",
        {
            "author": "Mölder, Felix and others",
            "title": "Sustainable data analysis with {Snakemake}",
            "journal": "F1000Research",
            "volume": "10",
            "pages": "33",
            "year": "2021",
            "doi": "10.12688/f1000research.29032.2",
        },
    ),
    "paszke2019": (
        "Paszke et al. 2019",
        "misc",
        {
            "author": "Paszke, Adam and others",
            "title": "{PyTorch}: An Imperative Style, High-Performance Deep Learning Library",
            "year": "2019",
            "eprint": "1912.01703",
            "archiveprefix": "arXiv",
        },
    ),
    "harris2020": (
        "Harris et al. 2020",
        "article",
        {
            "author": "Harris, Charles R. and others",
            "title": "Array programming with {NumPy}",
            "journal": "Nature",
            "volume": "585",
            "pages": "357--362",
            "year": "2020",
            "doi": "10.1038/s41586-020-2649-2",
        },
    ),
    "virtanen2020": (
        "Virtanen et al. 2020",
        "article",
        {
            "author": "Virtanen, Pauli and others",
            "title": "{SciPy} 1.0: fundamental algorithms for scientific computing in {Python}",
            "journal": "Nature Methods",
            "volume": "17",
            "pages": "261--272",
            "year": "2020",
            "doi": "10.1038/s41592-019-0686-2",
        },
    ),
    **OBJECT_WORKS,
}


def cited(text):
    """The keys that a text cites, each once, in order. Raises ValueError for one that CITATIONS lacks."""
    keys = [key.removeprefix("@") for mark in MARK.findall(text) for key in mark.split("; ")]
    unknown = [key for key in keys if key not in CITATIONS]
    if unknown:
        raise ValueError(f"citation {unknown[0]!r} is unknown; known: {', '.join(CITATIONS)}.")
    return list(dict.fromkeys(keys))


def in_words(text):
    """The text with its marks written out: (Guay et al. 2021; Holm 1979)."""
    return MARK.sub(lambda mark: f"({'; '.join(CITATIONS[key][0] for key in cited(mark[0]))})", text)


def reference(key):
    """One line for a list of references: authors, year, title, where, address."""
    _, _, fields = CITATIONS[key]
    where = fields.get("journal") or fields.get("booktitle") or f"arXiv:{fields['eprint']}"
    if "volume" in fields:
        where += f" {fields['volume']}" + (f", {fields['pages']}" if "pages" in fields else "")
    doi = f"https://doi.org/{fields['doi']}" if "doi" in fields else f"https://arxiv.org/abs/{fields.get('eprint')}"
    names = [" ".join(reversed(name.split(", "))) for name in fields["author"].split(" and ")]
    names = f"{names[0]} et al." if names[-1] == "others" else ", ".join(names)
    text = f"{names} ({fields['year']}). {fields['title']}. {where}. {fields.get('url', doi)}"
    return re.sub(r"[{}]", "", text.replace("--", "–"))


def bibtex(keys):
    """BibTeX entries of these works."""
    entries = []
    for key in keys:
        _, kind, fields = CITATIONS[key]
        lines = [f"  {field} = {{{value}}}" for field, value in fields.items()]
        entries.append(f"@{kind}{{{key},\n" + ",\n".join(lines) + "\n}\n")
    return "\n".join(entries)

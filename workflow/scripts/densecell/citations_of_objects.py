"""The works behind what is done with objects, in the form of CITATIONS in citations.py."""

OBJECT_WORKS = {
    "farneback2003": (
        "Farnebäck 2003",
        "inproceedings",
        {
            "author": "Farnebäck, Gunnar",
            "title": "Two-frame motion estimation based on polynomial expansion",
            "booktitle": "Scandinavian Conference on Image Analysis (SCIA)",
            "pages": "363--370",
            "year": "2003",
            "doi": "10.1007/3-540-45103-X_50",
        },
    ),
    "lorensen1987": (
        "Lorensen and Cline 1987",
        "article",
        {
            "author": "Lorensen, William E. and Cline, Harvey E.",
            "title": "Marching cubes: a high resolution {3D} surface construction algorithm",
            "journal": "Computer Graphics (SIGGRAPH)",
            "volume": "21",
            "pages": "163--169",
            "year": "1987",
            "doi": "10.1145/37402.37422",
        },
    ),
    "haralick1973": (
        "Haralick et al. 1973",
        "article",
        {
            "author": "Haralick, Robert M. and Shanmugam, K. and Dinstein, Its'hak",
            "title": "Textural features for image classification",
            "journal": "IEEE Transactions on Systems, Man, and Cybernetics",
            "volume": "3",
            "pages": "610--621",
            "year": "1973",
            "doi": "10.1109/TSMC.1973.4309314",
        },
    ),
    "thibault2014": (
        "Thibault et al. 2014",
        "article",
        {
            "author": "Thibault, Guillaume and Angulo, Jesús and Meyer, Fernand",
            "title": "Advanced statistical matrices for texture characterization: application to cell classification",
            "journal": "IEEE Transactions on Biomedical Engineering",
            "volume": "61",
            "pages": "630--637",
            "year": "2014",
            "doi": "10.1109/TBME.2013.2284600",
        },
    ),
    "maragos1989": (
        "Maragos 1989",
        "article",
        {
            "author": "Maragos, Petros",
            "title": "Pattern spectrum and multiscale shape representation",
            "journal": "IEEE Transactions on Pattern Analysis and Machine Intelligence",
            "volume": "11",
            "pages": "701--716",
            "year": "1989",
            "doi": "10.1109/34.192465",
        },
    ),
    "arganda2015": (
        "Arganda-Carreras et al. 2015",
        "article",
        {
            "author": "Arganda-Carreras, Ignacio and others",
            "title": "Crowdsourcing the creation of image segmentation algorithms for connectomics",
            "journal": "Frontiers in Neuroanatomy",
            "volume": "9",
            "pages": "142",
            "year": "2015",
            "doi": "10.3389/fnana.2015.00142",
        },
    ),
    "kirillov2019": (
        "Kirillov et al. 2019",
        "inproceedings",
        {
            "author": "Kirillov, Alexander and He, Kaiming and Girshick, Ross and Rother, Carsten and Dollár, Piotr",
            "title": "Panoptic segmentation",
            "booktitle": "IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)",
            "year": "2019",
            "doi": "10.1109/CVPR.2019.00963",
        },
    ),
}

"""What the scripts that draw and film do, in words."""

from densecell.step_words import Words

WORDS = {
    "plot_alignment": Words("{stem}", "drawn", "", "a picture of a vertical section before and after alignment"),
    "plot_intensity": Words(
        "{stem}", "drawn", "", "a picture of the gray values of the slices, before and after they were made even"
    ),
    "plot_held_out_slices": Words("{stem}", "drawn", "", "a picture of held-out slices, as drawn and as predicted"),
    "plot_label_budget": Words("{stem}", "drawn", "", "a picture of scores against the number of labelled slices"),
    "plot_held_out_distance": Words(
        "{stem}", "drawn", "", "a picture of scores against the distance to the training slices"
    ),
    "plot_held_out_comparison": Words("{stem}", "drawn", "", "a picture of the held-out scores of several experiments"),
    "plot_cells_by_method": Words("{stem}", "drawn", "", "a picture of the cells that each way to split them gives"),
    "plot_object_features": Words("{stem}", "drawn", "", "a picture of the measures of all objects"),
    "plot_objects_per_container": Words("{stem}", "drawn", "", "a picture of how many objects each container holds"),
    "plot_fenestrations": Words("{stem}", "drawn", "", "a picture of the objects with the most holes"),
    "plot_weight_map": Words("{stem}", "drawn", "", "a picture of labels and their error weights"),
    "plot_weight_map_comparison": Words("{stem}", "drawn", "", "a picture of imported and computed error weights"),
    "plot_training_curves": Words("{stem}", "drawn", "", "a picture of loss and eval score of every run"),
    "plot_network": Words(
        "{title}",
        "{network} with a window of {window:x}",
        "The network was built without training and drawn from its layers; no data took part.",
        "a drawing of a network as it is built",
    ),
    "plot_ranking": Words("{stem}", "drawn", "", "a picture of the runs by score, and what averaging them gains"),
    "plot_network_comparison": Words("{stem}", "drawn", "", "a picture of how the runs of every experiment scatter"),
    "plot_ensemble_gain": Words("{stem}", "drawn", "", "a picture of ensembles against their size"),
    "plot_segmentation": Words("{stem}", "drawn", "", "a picture of image, reference and predictions"),
    "plot_confusion": Words("{stem}", "drawn", "", "a picture of what is taken for what"),
    "plot_volume_fractions": Words("{stem}", "drawn", "", "a picture of the volume fractions"),
    "plot_contents": Words("{stem}", "drawn", "", "a picture of what each object holds of every class"),
    "plot_foreground": Words("{stem}", "drawn", "", "a picture of tissue against background"),
    "plot_small_regions": Words("{stem}", "drawn", "", "a picture of what removing small regions changes"),
    "plot_annotators": Words("{stem}", "drawn", "", "a picture of the agreement of people and networks"),
    "plot_paper_members": Words("{stem}", "drawn", "", "a figure of the paper: single networks beside ensembles"),
    "plot_paper_overview": Words("{stem}", "drawn", "", "a figure of the paper: the data and their segmentation"),
    "plot_paper_panels": Words("{stem}", "drawn", "", "a figure of the paper, put together from pictures"),
    "render_surfaces": Words(
        "{part[2]} of {part[1]}",
        "surfaces by marching cubes",
        "Surfaces were computed from the labels and rendered in 3D.",
        "a picture of the surfaces in 3D",
    ),
    "render_rotation": Words(
        "{stem}",
        "{seconds} s at {frames_per_second} pictures a second",
        "Surfaces were computed from the labels and filmed turning once around the z axis.",
        "a video of the surfaces, turning",
    ),
    "render_training": Words(
        "{stem}",
        "{seconds} s at {frames_per_second} pictures a second",
        "What the network in training made of one slice was filmed.",
        "a video of one slice while the network learns",
    ),
    "export_meshes": Words(
        "{part[2]} of {part[1]}",
        "at most {settings.object_triangles} triangles an object",
        "The surface of each object was made by marching cubes and simplified.",
        "the surfaces of all objects of a volume",
    ),
    "write_object_page": Words("{stem}", "drawn", "", "a page with the objects of a volume in 3D, to turn by hand"),
    "render_objects": Words(
        "{stem} of {part[2]}",
        "surfaces of the mesh files",
        "Surfaces of the objects were rendered in 3D.",
        "a picture of objects in 3D",
    ),
    "film_objects": Words(
        "{stem}",
        "{seconds} s at {frames_per_second} pictures a second",
        "Surfaces of the objects were filmed turning once around the z axis.",
        "a video of objects, turning",
    ),
}

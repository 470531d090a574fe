"""The tables of Guay et al. 2021 (doi 10.1038/s41598-021-81590-0) from the tables of a run, published numbers beside.

An algorithm is an ensemble. Its "ensemble" row is the k that the eval regions chose, its "single" row the network that
is best on eval. Nothing here looks at test to choose anything.
"""

import json
import math

import numpy as np
import pandas as pd

SCORES = (("eval", "miou_all"), ("eval", "miou_org"), ("test", "miou_org"))
POSTER_SCORES = (("eval", "miou_all"), ("test", "miou_org"), ("test", "mean_organelle_accuracy"))
COLUMNS = ["volume", "region", "reference", "experiment", "predictor", "class", "measure", "value", "unit"]
TABLE_COLUMNS = [*COLUMNS, "part", "kind", "k", "role", "published_row", "published", "difference"]
BUFFERS = (
    "running_mean",
    "running_var",
)  # of batch normalization; these and whole numbers (counters) are no parameters
SUBJECTS = {"miou_all": "all"}  # measure -> column class; organelles for the others


def predictor_of(chosen, kind, available):
    """The predictor that stands for an algorithm: "ensemble", its chosen top<k>, or "single", its best network on eval.

    chosen: {"name", "k", "members": [{"seed"}, ...] best first}. available: names of the predictors there are. A best
    network that was not predicted by itself is top1, the mean of one. Raises ValueError where neither exists.
    """
    names = [f"top{chosen['k']}"] if kind == "ensemble" else [f"seed{chosen['members'][0]['seed']}", "top1"]
    found = [name for name in names if name in available]
    if not found:
        raise ValueError(
            f"ensembles: {chosen['name']}: expected the predictor {' or '.join(names)} for the paper's {kind} row, "
            f"found {', '.join(available) or 'none'}. Add 1 to its top_k."
        )
    return found[0]


def ranked_singles(ranking, available):
    """Predictors seed<N> of the networks that were predicted singly, best on eval first.

    ranking: the table of one ensemble's runs with seed and eval_miou. Runs of equal score keep their order.
    """
    ordered = ranking.sort_values("eval_miou", ascending=False, kind="stable")
    names = [f"seed{seed}" for seed in ordered["seed"]]
    return [name for name in names if name in available]


def score_row(metrics, region, reference, experiment, predictor, measure):
    """The row of one score as a dict of COLUMNS; its value is NaN where the table has none."""
    subject = SUBJECTS.get(measure, "organelles")
    wanted = {"region": region, "reference": reference, "experiment": experiment, "predictor": predictor}
    rows = metrics[(metrics["measure"] == measure) & (metrics["class"] == subject)]
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    row = rows.iloc[0] if len(rows) else {"volume": "", "value": math.nan}
    return {**wanted, "volume": row["volume"], "class": subject, "measure": measure, "value": row["value"], "unit": "1"}


def predictors_in(metrics, experiment):
    """Predictors of an experiment in a table of scores, in order of appearance."""
    return list(pd.unique(metrics.loc[metrics["experiment"] == experiment, "predictor"]))


def algorithm_rows(metrics, places, chosen, part, kind, scores):
    """One dict per score of one algorithm.

    places: {role: (region, reference)}; a role that is missing gives no row. chosen: of the ensemble.
    """
    predictor = predictor_of(chosen, kind, predictors_in(metrics, chosen["name"]))
    k = chosen["k"] if kind == "ensemble" else 1
    rows = []
    for role, measure in scores:
        if role in places:
            row = score_row(metrics, *places[role], chosen["name"], predictor, measure)
            rows.append({**row, "part": part, "kind": kind, "k": k, "role": role})
    return rows


def add_published(table, published, algorithms):
    """The table with the columns published_row, published and difference (ours minus published).

    published: rows of `published_of`, or None: the columns stay empty. algorithms: {ensemble: published
    algorithm}. A row is matched by algorithm, kind, role and measure, whatever k was chosen.
    """
    table = table.assign(published_row="", published=math.nan, difference=math.nan)
    if published is not None:
        keys = ["algorithm", "kind", "role", "measure"]
        known = {tuple(row[key] for key in keys): row for row in published.to_dict("records")}
        for i, row in table.iterrows():
            match = known.get((algorithms.get(row["experiment"]), row["kind"], row["role"], row["measure"]))
            if match:
                table.loc[i, ["published_row", "published"]] = match["row"], match["value"]
        table["difference"] = table["value"] - table["published"]
    return table[TABLE_COLUMNS]


def published_of(published, table):
    """The published rows to hold against "table_s1" or "poster"; None stays None.

    The eval columns of the poster are those of Table S1. Its test column is held against both measures it may be.
    """
    if published is None:
        return None
    of_s1 = published[published["table"].str.startswith("S1")]
    if table == "table_s1":
        return of_s1
    test = published[published["table"] == "poster"]
    readings = [test.assign(measure=measure) for role, measure in POSTER_SCORES if role == "test"]
    return pd.concat([of_s1[of_s1["role"] == "eval"], *readings], ignore_index=True)


def table_s1(metrics, places, chosen, parts, parameters):
    """Table S1 without published numbers: one row per score, and one per single network for its parameters.

    chosen: {ensemble: chosen}. parts: {"a": [ensembles], "b": [...], "c": [...]}; a holds ensembles, b and c single
    networks. parameters: {ensemble: number of parameters of one network}; only listed ones get a row.
    """
    rows = []
    for part, names in parts.items():
        for name in names:
            kind = "ensemble" if part == "a" else "single"
            own = algorithm_rows(metrics, places, chosen[name], part, kind, SCORES)
            rows += own
            if kind == "single" and name in parameters and own:
                count = {"measure": "n_parameters", "value": parameters[name], "unit": "parameter", "role": ""}
                rows.append({**own[0], "volume": "", "region": "", "reference": "", "class": "", **count})
    return pd.DataFrame(rows, columns=TABLE_COLUMNS[:-3])


def every_k(metrics, places, chosen, names):
    """All sizes of the ensembles `names`, for each score, with the column chosen_on_eval; core columns besides."""
    rows = []
    for name in names:
        sizes = [int(p[3:]) for p in predictors_in(metrics, name) if p.startswith("top")]
        for k in sorted(sizes):
            for role, measure in SCORES:
                if role in places:
                    row = score_row(metrics, *places[role], name, f"top{k}", measure)
                    rows.append({**row, "k": k, "role": role, "chosen_on_eval": k == chosen[name]["k"]})
    return pd.DataFrame(rows, columns=[*COLUMNS, "k", "role", "chosen_on_eval"])


def poster_table(metrics, places, chosen, names):
    """The poster's table: each algorithm as single network and as ensemble.

    Its test column ("oMIOU") is 1.24 to 1.32 times Table S1's for the same networks. So both candidates are given: mean
    IoU and mean accuracy of the organelles.
    """
    kinds = [(name, kind) for kind in ("single", "ensemble") for name in names]
    rows = [r for name, kind in kinds for r in algorithm_rows(metrics, places, chosen[name], "", kind, POSTER_SCORES)]
    return pd.DataFrame(rows, columns=TABLE_COLUMNS[:-3])


def text_numbers(metrics, places, people, chosen):
    """Numbers of the paper's text: how the main ensemble gains on test, and how people and it agree pairwise.

    people: label sources that are compared pairwise and with the main ensemble, in order; none: no such rows.
    Rows with row (in words), core columns; the gain is relative, ensemble / best single network on eval - 1.
    """
    rows, available = [], predictors_in(metrics, chosen["name"])
    ensemble, single = (predictor_of(chosen, kind, available) for kind in ("ensemble", "single"))
    if "test" in places:
        ours, best = (
            score_row(metrics, *places["test"], chosen["name"], predictor, "miou_org")
            for predictor in (ensemble, single)
        )
        gain = ours["value"] / best["value"] - 1 if best["value"] > 0 else math.nan
        text = "gain of the ensemble over its best network"
        rows.append({**ours, "row": text, "role": "test", "measure": "relative_gain_miou_org", "value": gain})
    names = [name.replace("_", " ") for name in people]
    for i, person in enumerate(people):
        place = (places["compare"][0], person) if "compare" in places else None
        for j in range(i + 1, len(people)):
            row = score_row(metrics, *place, "annotation", people[j], "miou_org")
            rows.append({**row, "row": f"{names[i]} with {names[j]}", "role": "compare"})
        row = score_row(metrics, *place, chosen["name"], ensemble, "miou_org")
        rows.append({**row, "row": f"{names[i]} with algorithm", "role": "compare"})
    return pd.DataFrame(rows, columns=["row", *COLUMNS, "role"])


def count_parameters(header):
    """Number of trained parameters in the header of a safetensors file ({name: {"shape"}}, JSON text)."""
    tensors = json.loads(header)
    shapes = [
        tensor["shape"]
        for name, tensor in tensors.items()
        if name != "__metadata__" and not name.endswith(BUFFERS) and not tensor["dtype"].startswith("I")
    ]
    return sum(math.prod(shape) for shape in shapes)


def volume_fractions(fractions, region, people, ensemble, predictor, margin_nm, organelles):
    """{name: (n_organelles,) volume fractions} of people and of the algorithm in a region, as in Figure 3m.

    People are counted in their own cells. The algorithm is counted within `margin_nm` of the first one's cell. NaN where
    the table has no value.
    """
    rows = fractions[(fractions["region"] == region) & (fractions["measure"] == "volume_fraction")]
    margin = np.isclose(rows["margin_nm"].astype(float), margin_nm)

    def values(keep):
        return rows[keep].drop_duplicates("class").set_index("class")["value"].reindex(organelles).to_numpy(float)

    found = {}
    for person in people:
        own = (rows["experiment"] == "annotation") & (rows["reference"] == person) & (rows["predictor"] == person)
        found[person] = values(own)
    if people:
        ours = (rows["experiment"] == ensemble) & (rows["predictor"] == predictor) & (rows["reference"] == people[0])
        found[ensemble] = values(ours & margin)
    return found


def add_published_text(table, published):
    """A table of `text_numbers` with the columns published and difference, matched by row and measure."""
    table = table.assign(published=math.nan)
    if published is not None:
        known = published[published["table"] == "text"].set_index(["row", "measure"])["value"]
        table["published"] = [float(known.get(key, math.nan)) for key in zip(table["row"], table["measure"])]
    return table.assign(difference=table["value"] - table["published"])

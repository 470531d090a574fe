"""Put tables of equal columns below each other; rows that several of them hold (a reference's own) are kept once.

With --keys, the columns that tell them apart are put before the others.
"""

import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("tables", "tables (csv)", several=True)
    arguments.parameter("keys", "JSON list of a record for each table: columns to add and their values", json_argument)
    arguments.output("output", "table (csv)")
    args = arguments.parse(argv)

    tables = [io.read_table(path) for path in args.tables]
    for table, keys in zip(tables, args.keys or [{}] * len(tables), strict=True):
        for place, (name, value) in enumerate(keys.items()):
            table.insert(place, name, value)
    columns = list(tables[0].columns)
    for path, table in zip(args.tables, tables):
        if list(table.columns) != columns:
            raise ValueError(
                f"{path}: expected the columns of {args.tables[0]}, {columns}, found {list(table.columns)}"
            )
    gathered = pd.concat(tables, ignore_index=True).drop_duplicates(ignore_index=True)
    io.write_table(args.output, gathered, args.record)


if __name__ == "__main__":
    run(main)

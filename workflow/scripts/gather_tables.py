"""Put tables of equal columns below each other; rows that several of them hold (a reference's own) are kept once."""

import pandas as pd

from command_line import Arguments, run
from densecell import io


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("tables", "tables (csv)", several=True)
    arguments.output("output", "table (csv)")
    args = arguments.parse(argv)

    tables = [io.read_table(path) for path in args.tables]
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

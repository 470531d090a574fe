"""The `conda` that Snakemake calls in these tests: the commands it uses, with py-rattler's solver and installer.

It stands in for the program, not for what it does: environments are solved from the channels' index and installed from
their packages. DENSECELL_CHANNELS is the address below which the channels lie, the folder above this program's is the
installation.
"""

import argparse
import asyncio
import json
import os
from pathlib import Path

import rattler
import yaml

ROOT = Path(__file__).resolve().parents[1]


async def create(file, prefix):
    """Solve the environment that a file describes and install it in the folder `prefix`."""
    described = yaml.safe_load(Path(file).read_text())
    alias = rattler.ChannelConfig(channel_alias=os.environ["DENSECELL_CHANNELS"])
    records = await rattler.solve(
        sources=[rattler.Channel(name, alias) for name in described["channels"]],
        specs=[rattler.MatchSpec(spec, strict=True) for spec in described["dependencies"]],
        platforms=[rattler.Subdir.current(), rattler.Subdir("noarch")],
        virtual_packages=rattler.VirtualPackage.detect(),
    )
    await rattler.install(records=records, target_prefix=prefix, cache_dir=ROOT / "pkgs", show_progress=False)


def main():
    parser = argparse.ArgumentParser(prog="conda")
    parser.add_argument("--version", action="version", version="conda 25.1.0")
    parser.add_argument("command", nargs="+", choices=["info", "config", "env", "create", "clean"])
    for option in ("--file", "--prefix", "--get"):
        parser.add_argument(option)
    for switch in ("--json", "--quiet", "--no-default-packages", "--tarballs", "-y"):
        parser.add_argument(switch, action="store_true")
    args = parser.parse_args()
    if args.command == ["info"]:
        print(json.dumps({"conda_prefix": str(ROOT), "platform": str(rattler.Subdir.current())}))
    elif args.command == ["config"]:
        print(json.dumps({"get": {args.get: "strict"}}))
    elif args.command == ["env", "create"]:
        asyncio.run(create(args.file, args.prefix))
    elif args.command == ["clean"]:  # Snakemake drops the archives once an environment is made
        for archive in (ROOT / "pkgs").glob("*.conda"):
            archive.unlink()
    else:
        parser.error(f"no such command here: {args.command}")


if __name__ == "__main__":
    main()

"""`make bench [ONLY=name]`: run one or all measured claims; exit 1 when one falls short."""

import importlib
import sys
from pathlib import Path


def main() -> int:
    names = sorted(p.stem for p in Path(__file__).parent.glob("[a-z]*.py"))
    wanted = sys.argv[1:] or names
    if unknown := [name for name in wanted if name not in names]:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    fell_short = [n for n in wanted if not importlib.import_module(f"benchmarks.{n}").run()]
    if fell_short:
        print(f"below the bar: {', '.join(fell_short)}", file=sys.stderr)
    return 1 if fell_short else 0


if __name__ == "__main__":
    sys.exit(main())

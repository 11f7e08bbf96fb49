"""`python -m ops.authoring [pages|sheets|fonts]` makes what template authors look at; by default pages and sheets."""

import sys

from ops.authoring import fonts, pages, sheets

COMMANDS = {"pages": pages.main, "sheets": sheets.main, "fonts": fonts.main}


def run(argv: list[str]) -> int:
    """Run the command; returns 2 for an unknown one."""
    if not argv:
        return pages.main([]) or sheets.main([])
    if argv[0] not in COMMANDS:
        print(f"usage: python -m ops.authoring [{'|'.join(COMMANDS)}]", file=sys.stderr)
        return 2
    return COMMANDS[argv[0]](argv[1:])


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))

"""Running, measuring and breaking reportq: servers for trials, command line, benches, chaos."""

import sys

if {"-h", "--help"} & {*sys.orig_argv} and "-m" in sys.orig_argv[:-2]:
    from ops import first_help

    # Before the module is loaded: it may need packages that nobody has installed.
    first_help.of_module(*sys.orig_argv[sys.orig_argv.index("-m") + 1 :])

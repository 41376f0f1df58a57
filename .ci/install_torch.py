"""Install torch without CUDA packages where there is no GPU. Run by the interpreter of the environment to install into.

1. A torch in the wanted range is already there: it stays.
2. macOS, or a machine with an NVIDIA GPU: what pip offers.
3. A CPU build (`+cpu` in its version) that pip is configured to offer: that one, by its exact version.
4. A CPU build from PyTorch's own CPU index, by its exact version.
5. An unlabelled build that pip offers, when its metadata asks for no CUDA package.

Nothing is downloaded to find out: versions are listed, and only an exact version is installed. Standard library only.
"""

import json
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
CUDA_PACKAGE = re.compile(r"^(nvidia|cuda|triton)\b")
METADATA_WITHOUT_DOWNLOAD = (23, 2)
"""Since this pip a wheel's metadata is read without downloading the wheel."""


def main() -> int:
    """Install torch; returns an exit code."""
    requirement = torch_requirement(PYPROJECT)
    present = installed("torch")
    if present is not None and in_range(present, requirement):
        say(f"torch {present} is installed already")
    elif platform.system() == "Darwin" or has_gpu():
        say("a GPU or a Mac: torch as pip offers it")
        pip("install", requirement)
    elif chosen := newest_cpu(offered(), requirement):
        say(f"torch {chosen}, a CPU build that pip offers")
        pip("install", f"torch=={chosen}")
    elif chosen := newest_cpu(offered("--index-url", CPU_INDEX), requirement):
        say(f"torch {chosen} from {CPU_INDEX}")
        pip("install", f"torch=={chosen}", "--extra-index-url", CPU_INDEX)
    elif chosen := unlabelled_cpu(requirement):
        say(f"torch {chosen}, which asks for no CUDA package")
        pip("install", f"torch=={chosen}")
    else:
        say(
            f"no CPU build of {requirement} was found: pip offers none, and {CPU_INDEX} does not answer.\n"
            "Install a CPU build of torch into .venv yourself, then run make again."
        )
        return 1
    return 0


def torch_requirement(pyproject: Path) -> str:
    """The project's own requirement, such as `torch>=2.10,<2.14`."""
    dependencies = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]
    return next(line for line in dependencies if re.match(r"torch\b", line))


def in_range(found: str, requirement: str) -> bool:
    """Whether a version lies in a requirement of the form `torch>=A,<B`."""
    low, high = re.findall(r"[\d.]+", requirement.removeprefix("torch"))
    return numbers(low) <= numbers(found.split("+")[0]) < numbers(high)


def numbers(text: str) -> tuple[int, ...]:
    """`2.13.0` to (2, 13, 0); a pre-release's letters end it."""
    return tuple(int(part) for part in re.match(r"[\d.]*", text).group().split(".") if part)


def newest_cpu(versions: list[str], requirement: str) -> str | None:
    """The newest `+cpu` version in range, None where there is none."""
    fitting = [one for one in versions if one.endswith("+cpu") and in_range(one, requirement)]
    return max(fitting, key=lambda one: numbers(one.split("+")[0]), default=None)


def offered(*options: str) -> list[str]:
    """Versions of torch that pip could install here; empty where it cannot say."""
    listed = run("index", "versions", "torch", *options)
    found = re.search(r"Available versions: (.+)", listed.stdout)
    return [one.strip() for one in found.group(1).split(",")] if found else []


def unlabelled_cpu(requirement: str) -> str | None:
    """The version that pip would take, when its metadata asks for no CUDA package on this machine."""
    if numbers(version("pip")) < METADATA_WITHOUT_DOWNLOAD:
        return None
    report = run("install", "--dry-run", "--quiet", "--report", "-", requirement)
    if report.returncode != 0:
        return None
    packages = [entry["metadata"] for entry in json.loads(report.stdout)["install"]]
    if any(CUDA_PACKAGE.match(one["name"].lower()) for one in packages):
        return None
    return next((one["version"] for one in packages if one["name"] == "torch"), None)


def has_gpu() -> bool:
    """Whether an NVIDIA driver answers."""
    program = shutil.which("nvidia-smi")
    return program is not None and subprocess.run([program, "-L"], capture_output=True).returncode == 0


def installed(package: str) -> str | None:
    """Version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def pip(*arguments: str) -> None:
    """Run pip; its failure ends this program."""
    subprocess.run([sys.executable, "-m", "pip", *arguments], check=True, stdin=subprocess.DEVNULL)


def run(*arguments: str) -> subprocess.CompletedProcess:
    """Run pip and read what it says."""
    return subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def say(text: str) -> None:
    """One line for the person who waits."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

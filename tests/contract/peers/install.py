"""Install nautilus_trader, hummingbot, moto and Ray for tests: `make peers`, once; four minutes.

Each gets an environment of its own below `var/peers`. hummingbot comes as source: its compiled
modules are built in place, without optimization, and the packages it needs are those of
`hummingbot.txt` instead of the sixty it names for venues that are not tried here. Its package list
asks for `msgpack-python`, an old msgpack that writes long texts in another form, so that no venue
accepts what it signs; here it is `msgpack`.
"""

import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SOURCE = "hummingbot==20260922"
BUILD = """
import glob
import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

core = ["hummingbot/core", "hummingbot/core/cpp", "hummingbot/core/data_type"]
names = glob.glob("hummingbot/**/*.pyx", recursive=True)
found = [Extension(name[:-4].replace("/", "."), [name], language="c++") for name in names]
directives = {"annotation_typing": False}
extensions = cythonize(found, language_level=3, compiler_directives=directives)
for extension in extensions:
    extension.include_dirs = [numpy.get_include(), *core]
    extension.extra_compile_args = ["-O0", "-std=c++11"]
options = ["build_ext", "--inplace", "--parallel=2"]
setup(name="hummingbot-modules", ext_modules=extensions, script_args=options)
"""


def run(*words: str, cwd: Path | None = None) -> None:
    done = subprocess.run(words, cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"peers: {' '.join(words)} failed\n{done.stderr[-2000:]}")


def hummingbot(folder: Path, uv: str) -> None:
    place, stamp = folder / "hummingbot", folder / "hummingbot" / "built.txt"
    wanted = f"{SOURCE}\n{(HERE / 'hummingbot.txt').read_text()}{BUILD}"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"peers: {SOURCE}, compiled for some minutes", flush=True)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    python, source = place / "bin" / "python", place / "src"
    run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(place))
    pins = str(HERE / "hummingbot.txt")
    run(uv, "pip", "install", "--quiet", "--python", str(python), "-r", pins)
    options = ("--quiet", "--no-deps", "--no-binary", "hummingbot", "--dest", str(place))
    run(sys.executable, "-m", "pip", "download", *options, SOURCE)
    (archive,) = place.glob("hummingbot-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(place, filter="data")
    archive.with_name(archive.name.removesuffix(".tar.gz")).rename(source)
    archive.unlink()
    (source / "build_modules.py").write_text(BUILD)
    run(str(python), "build_modules.py", cwd=source)
    (source / "conf").mkdir(exist_ok=True)
    stamp.write_text(wanted)


def beside_the_suite(python: Path) -> None:
    """Let an environment see what the suite needs, behind what it has itself."""
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    (packages / "suite.pth").write_text(f"{sysconfig.get_path('purelib')}\n")


def main() -> None:
    sys.path.append(str(ROOT / "tests" / "bench" / "peers"))
    from environments import install, uv_command

    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "var" / "peers").resolve()
    uv = uv_command()
    if uv is None:
        sys.exit("peers: uv is needed; run make setup")
    install("nautilus", folder)
    install("moto", folder)
    beside_the_suite(install("ray", folder))
    hummingbot(folder, uv)
    print(f"peers: nautilus, moto, ray and hummingbot are in {folder}")


if __name__ == "__main__":
    main()

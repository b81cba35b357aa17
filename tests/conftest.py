"""What holds for every test: honest skips, FFmpeg for LeRobot's decoder, and no clock in a verdict.

A test that needs an optional package asks for it by a fixture (`rerun`, `catalog`) and is skipped without it. With
TELECINE_TESTS_REQUIRE=all, as `.ci/run` sets it where everything is installed, every skip is a failure, except one
whose reason starts with OUTSIDE: something that pip cannot install.
"""

import importlib
import importlib.util
import os
import shutil
import signal
import sys
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from support import torchcodec_libs

pytest.register_assert_rewrite("telecine.testing")  # before anything imports it

OUTSIDE = "outside this repository: "
REQUIRE_ALL = os.environ.get("TELECINE_TESTS_REQUIRE") == "all"

# A busy machine is no reason to fail.
settings.register_profile("telecine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("gate", settings.get_profile("telecine"), derandomize=True)
settings.load_profile("telecine")

# Shells start background jobs deaf to Ctrl-C, and all that those start; tests of stopping send just that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Start again, once, with PyAV's FFmpeg where torchcodec looks: the loader reads the variable only at start."""
    if importlib.util.find_spec("torchcodec") is None or hasattr(config, "workerinput"):
        return
    folder = torchcodec_libs.link_folder(Path(__file__).parents[1] / ".pytest_cache")
    if folder is None or torchcodec_libs.is_effective(folder):
        return
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.stop_global_capturing()  # or the new process would write into this one's temporary files
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], torchcodec_libs.environment_with(folder))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs rerun-sdk, so that `-m rerun` runs just that; leave long tests out unless `-m` names them."""
    for item in items:
        if "rerun" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.rerun)
    if "long" not in config.option.markexpr:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("long")])
        items[:] = [item for item in items if not item.get_closest_marker("long")]


def pytest_runtest_setup() -> None:
    """Make this thread a usual one: LeRobot's AV1 encoder, run by root, left it a real-time one.

    A browser that a test starts would be one, too, and take the cores from the server that it waits for.
    """
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With TELECINE_TESTS_REQUIRE=all a skip is a failure."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.removeprefix("Skipped: ").startswith(OUTSIDE):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped although TELECINE_TESTS_REQUIRE=all: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file."""
    report = yield
    if REQUIRE_ALL and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped although TELECINE_TESTS_REQUIRE=all"
    return report


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Generator[None, None, None]:
    """What is kept in the user's cache folder is this run's alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", autouse=True)
def no_threads_of_closed_recordings() -> Generator[None, None, None]:
    """rerun-sdk keeps two busy threads for each recording that was written, until it is asked to end them."""
    yield
    clean_up = getattr(sys.modules.get("rerun_bindings"), "flush_and_cleanup_orphaned_recordings", None)
    if clean_up is not None:
        clean_up()


def needs(module: str, extra: str) -> ModuleType:
    """The module, or a skip that says how to get it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        pytest.skip(f"needs {module}: pip install 'telecine[{extra}]'")


@pytest.fixture(scope="session")
def rerun() -> ModuleType:
    """rerun-sdk, whose writer makes the .rrd files that the tests read."""
    return needs("rerun", "rrd")


@pytest.fixture(scope="session")
def mcap() -> ModuleType:
    """The mcap package, whose writers make the .mcap files that the tests read, and what reading them needs."""
    needs("rosbags", "mcap")
    needs("zstandard", "mcap")
    needs("mcap_protobuf", "reference")
    needs("mcap_ros2", "reference")
    return needs("mcap", "reference")


@pytest.fixture(scope="session")
def catalog(rerun: ModuleType) -> ModuleType:
    """rerun-sdk's catalog client and server."""
    needs("datafusion", "catalog")
    return importlib.import_module("rerun.catalog")


@pytest.fixture(scope="session")
def matplotlib() -> ModuleType:
    """Draws the curves of `inspect DATASET --png`."""
    return needs("matplotlib", "plot")


@pytest.fixture(scope="session")
def h5py() -> ModuleType:
    """h5py, with which the HDF5 files of the tests are written."""
    return needs("h5py", "hdf5")


@pytest.fixture(scope="session")
def zarr() -> ModuleType:
    """zarr, with which the replay buffers of the tests are written."""
    return needs("zarr", "zarr")


@pytest.fixture(scope="session")
def crc32c() -> ModuleType:
    """The checksums of TFRecord files, and protobuf, which their messages need."""
    needs("google.protobuf", "rlds")
    return needs("google_crc32c", "rlds")


@pytest.fixture(scope="session")
def array_record(crc32c: ModuleType) -> ModuleType:
    """The newer container of RLDS, on Linux."""
    return needs("array_record", "rlds")


@pytest.fixture(scope="session")
def ray() -> ModuleType:
    """The engine of `convert --engine ray`."""
    return needs("ray", "ray")


@pytest.fixture(scope="session")
def mujoco() -> ModuleType:
    """Simulates the robot of `record sim`."""
    return needs("mujoco", "sim")


@pytest.fixture(scope="session")
def starlette() -> ModuleType:
    """What serves the page of `telecine view`."""
    needs("uvicorn", "view")
    return needs("starlette", "view")


@pytest.fixture(scope="session")
def browser(starlette: ModuleType) -> Generator[Any, None, None]:
    """Debian's Chromium, driven by Playwright, one for all tests; what Playwright downloads itself is not asked for."""
    playwright = needs("playwright.sync_api", "reference")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip(f"{OUTSIDE}chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def segments(catalog: ModuleType) -> None:
    """Skip where the client cannot read segments chunk by chunk."""
    from rerun.catalog import DatasetEntry

    if not hasattr(DatasetEntry, "segment_store"):
        pytest.skip("needs rerun-sdk 0.34 or newer: DatasetEntry.segment_store")

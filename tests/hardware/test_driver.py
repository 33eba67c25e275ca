"""The table of the driver's files against listings of real trees."""

import itertools
import re
from pathlib import Path

import pytest

from neurontools.hardware.chips import CHIPS
from neurontools.hardware.driver import (
    ATTRIBUTES,
    CORE_MEMORY,
    DIRECTORIES,
    HEALTH_FILES,
    HOST_MEMORY,
    KERNEL,
    KINDS,
    LINKS,
    LIVE_COUNTERS_SINCE,
    OTHER_INFO,
    PLATFORMS,
    RELEASES,
    STATUS_NAMES,
    Attribute,
    attributes,
    driver_for,
    mode_of,
    path_of,
    platform_of,
    version_tuple,
)

LISTED = Path(__file__).parents[1] / "golden" / "sysfs" / "paths.tsv"
# The listings are supersets: each holds what any of these drivers shows on such a host.
DRIVERS = {"Inf1": ("2.24.7",)} | dict.fromkeys(("Inf2", "Trn1", "Trn2", "Trn3"), ("2.26.5", "2.30.2"))
# The Trn3 listing is that of an ultraserver.
PLATFORM = {"Trn3": "ultraserver"}
LISTINGS = {
    "Inf1": "sysfs_paths_v1_inf1.txt",
    "Inf2": "sysfs_paths_v2_inf2.txt",
    "Trn1": "sysfs_paths_v2_trn1.txt",
    "Trn2": "sysfs_paths_v3_trn2.txt",
    "Trn3": "sysfs_paths_v4_trn3.txt",
}
FAMILIES = pytest.mark.parametrize("family", DRIVERS)
Row = tuple[str, str, str]


def _expanded(family: str, cores: int) -> set[Row]:
    """(path, mode, since) of every file and link of device 0; "?" marks what only a release note tells."""
    rows: dict[str, Row] = {}
    for version in DRIVERS[family]:
        for attribute in attributes(family, version, PLATFORM.get(family, "standard")):
            for core in range(cores if attribute.scope == "core" else 1):
                path = path_of(attribute, core=core, bdf="{bdf}")
                since = attribute.since + ("" if attribute.certain else "?")
                rows[path] = (path, f"{mode_of(attribute, version):04o}", since)
    found = set(rows.values())
    for link in LINKS:
        path = link.path.format(device=0, bdf="{bdf}")
        found.add((f"{path} -> {link.target.format(device=0)}", "link", link.since))
    return found


def _golden(family: str) -> set[Row]:
    rows = [line.split("\t") for line in LISTED.read_text().splitlines()[1:]]
    return {(path, mode, since) for path, mode, since, families in rows if family in families.split()}


def _listing(path: Path) -> set[Row]:
    rows = set()
    for line in path.read_text().splitlines():
        name, mode, value, note = line.split("\t")
        name = re.sub(r"0000:[0-9a-f:.]+", "{bdf}", name)
        since = re.split(r"\.\.| ", note)[0] + ("?" if "release note" in note else "")
        rows.add((f"{name} {value}" if mode == "link" else name, mode.rstrip("?"), since))
    return rows


@FAMILIES
def test_the_table_expands_to_the_listed_tree(family: str) -> None:
    assert _expanded(family, cores=1) == _golden(family)


@FAMILIES
def test_the_table_expands_to_the_whole_listing_with_every_core(family: str, facts: Path) -> None:
    cores = next(chip.cores for chip in CHIPS.values() if chip.family == family)
    assert _expanded(family, cores) == _listing(facts / LISTINGS[family])


@FAMILIES
def test_every_core_has_the_same_files(family: str) -> None:
    rows = _expanded(family, cores=2)
    first = {row for row in rows if "/neuron_core0/" in row[0]}
    second = {(path.replace("neuron_core1", "neuron_core0"), mode, since) for path, mode, since in rows - first}
    assert first
    assert first <= second


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda attribute: attribute.path)
def test_an_attribute_uses_known_words_and_versions(attribute: Attribute) -> None:
    assert attribute.scope in DIRECTORIES
    assert attribute.kind in KINDS
    assert attribute.kept_by in ("driver", "runtime", "device", "kernel")
    assert attribute.clears == (attribute.path.rpartition("/")[2] in ("total", "present", "peak"))
    assert set(attribute.families) <= set(DRIVERS)
    for version in (attribute.since, attribute.until, LIVE_COUNTERS_SINCE):
        assert version in (None, KERNEL) or version_tuple(version)


@pytest.mark.parametrize("version", ["2.16.7", "2.21.37", "2.24.7", "2.26.5", "2.28", "2.30.2"])
def test_no_path_appears_twice_under_one_driver(version: str) -> None:
    for family in DRIVERS:
        for platform in ("standard", *set(PLATFORMS.values())):
            paths = [path_of(attribute) for attribute in attributes(family, version, platform)]
            assert len(set(paths)) == len(paths)


def test_the_counts_of_the_documented_tree() -> None:
    assert len(STATUS_NAMES) == 24
    assert len(OTHER_INFO) == 6
    assert len(HOST_MEMORY) == 8
    assert len(CORE_MEMORY) == 11
    assert len(HEALTH_FILES) == 6


def _class_files(version: str, platform: str) -> set[str]:
    return {attribute.path for attribute in attributes("Trn2", version, platform) if attribute.scope == "class"}


def test_class_files_come_and_go_with_version_and_platform() -> None:
    shared = {"hbm_7200_capable", "current_perf_profile"}
    ultraserver = {"node_id_2", "node_id_4", "server_id_2", "server_id_4", "ultraserver_mode"}
    assert _class_files("2.21.37", "standard") == set()
    assert _class_files("2.22.2", "standard") == {"node_id", "server_id"}
    assert _class_files("2.26.5.0", "standard") == ultraserver
    assert _class_files("2.30.2", "standard") == shared
    assert _class_files("2.30.2", "ultraserver") == shared | ultraserver
    assert _class_files("2.30.2", "pds") == shared | {"node_id", "node_cnt", "reservation_id"}


def test_core_count_was_the_superusers_before_2_28() -> None:
    (core_count,) = (attribute for attribute in ATTRIBUTES if attribute.path == "core_count")
    assert mode_of(core_count, "2.27.4") == 0o400
    assert mode_of(core_count, "2.28") == 0o444


def test_platforms_are_known_by_instance_type() -> None:
    assert platform_of("trn2u.48xlarge") == "ultraserver"
    assert platform_of("trn3.48xlarge") == "pds"
    assert platform_of("inf2.48xlarge") == "standard"


def test_versions_compare_as_numbers() -> None:
    assert version_tuple("2.9.4") < version_tuple("2.10.11") < version_tuple("2.26.5.0\n")
    with pytest.raises(ValueError, match=r"expected a driver version such as 2\.26\.5\.0, got '2\.x'"):
        version_tuple("2.x")


def test_a_driver_that_a_chip_needs_is_one_that_supports_it() -> None:
    families = ("Inf1", "Inf2", "Trn1", "Trn2", "Trn3")
    for family, release in itertools.product(families, RELEASES):
        needed = driver_for(family, f"{release}.0")
        if needed is not None:
            version = needed.removesuffix(" or later")
            assert driver_for(family, version) is None
            assert needed.endswith("later") is (version_tuple(release) < version_tuple(version))
    assert [family for family in families if driver_for(family, RELEASES[-1])] == ["Inf1"]
    assert driver_for("Inf1", "unknown") is None

"""Reads the output of `cargo metadata`, and writes a CycloneDX document of one package.

    sbom.py PACKAGE CARGO_LOCK
"""

import json
import sys
import tomllib
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL


def component(package: dict, checksums: dict, kind: ComponentType) -> Component:
    name, version = package["name"], package["version"]
    checksum = checksums.get((name, version))
    licenses = [LicenseFactory().make_from_string(package["license"].replace("/", " OR "))] if package["license"] else []
    references = [ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(package["repository"]))] if package["repository"] else []
    return Component(
        type=kind,
        name=name,
        version=version,
        bom_ref=f"{name}@{version}",
        purl=PackageURL("cargo", None, name, version),
        licenses=licenses,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
        external_references=references,
    )


def main(wanted: str, lock: Path) -> None:
    metadata = json.load(sys.stdin)
    locked = tomllib.loads(lock.read_text())["package"]
    checksums = {(one["name"], one["version"]): one.get("checksum") for one in locked}
    packages = {package["id"]: package for package in metadata["packages"]}
    linked = {
        node["id"]: [dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
        for node in metadata["resolve"]["nodes"]
    }
    [root] = [identity for identity, package in packages.items() if package["name"] == wanted]
    found, waiting = set(), [root]
    while waiting:
        identity = waiting.pop()
        if identity not in found:
            found.add(identity)
            waiting.extend(linked[identity])
    made = {
        identity: component(packages[identity], checksums, ComponentType.APPLICATION if identity == root else ComponentType.LIBRARY)
        for identity in sorted(found)
    }
    bom = Bom()
    bom.metadata.component = made[root]
    for identity, one in made.items():
        if identity != root:
            bom.components.add(one)
    for identity, one in made.items():
        bom.register_dependency(one, [made[dep] for dep in linked[identity]])
    print(JsonV1Dot6(bom).output_as_string(indent=2))


main(sys.argv[1], Path(sys.argv[2]))

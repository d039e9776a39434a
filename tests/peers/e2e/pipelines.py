"""Collectors with two receivers each. Each receiver scrapes the jobs of its own pipeline, one in the merged view."""

import time
from typing import TYPE_CHECKING

import shop

if TYPE_CHECKING:
    from parts import World

CONFIG = """
pipelines:
  storefront: {namespace_selector: {matchLabels: {team: storefront}}}
  payments: {jobs: ["serviceMonitor/payments/*"]}
"""

# The endpoint of each receiver below the gateway, and the namespace of the monitors in its pipeline.
RECEIVERS = {
    "storefront": ("/pipelines/storefront", "shop"),
    "payments": ("/pipelines/payments/merged", "payments"),
}


def separated(world: "World") -> str:
    """Each receiver scrapes exactly the jobs of its pipeline, with the shares of the plain routes."""
    from cases import WINDOW, as_before, expected
    from parts import COLLECTORS, ROOT, eventually, get

    everything = eventually("the function answers", lambda: expected(world))
    wanted = wanted_owners(world)
    config = world.folder / "pipelines.yaml"
    config.write_text((ROOT / "examples/shop/targetallocator.yaml").read_text() + CONFIG)
    try:
        for name in COLLECTORS:
            world.stop(name)
        world.stop("function")
        world.start_function(ALLOCATOR_CONFIG_FILE=str(config))
        endpoints = {label: endpoint for label, (endpoint, _) in RECEIVERS.items()}
        for name in COLLECTORS:
            world.start_receivers(name, endpoints)
        eventually("each receiver scrapes its pipeline", lambda: same(world, wanted))
        report = get(f"{world.function}/debug/report")
        outside = {entry["field"] for entry in report if entry["reason"].startswith("in no pipeline")}
        jobs = get(f"{world.function}/scrape_configs")
        others = {job for job in jobs if job.split("/")[1] not in ("shop", "payments")}
        assert outside == others, f"in the report {sorted(outside)}, in no pipeline {sorted(others)}"

        # Without the pipelines in the config, each request of a receiver is a failure. All scraping goes on.
        world.stop("function")
        world.start_function()
        until = time.monotonic() + 3 * WINDOW
        while time.monotonic() < until:
            time.sleep(WINDOW / 2)
            same(world, wanted)
        counts = {label: sum(any(who.endswith(label) for who in owners) for owners in wanted.values()) for label in RECEIVERS}
        parts = ", ".join(f"{count} of {label}" for label, count in counts.items())
        return f"{parts}, {len(others)} jobs in no pipeline; all go on while the pipelines are missing"
    finally:
        as_before(world, everything)


def wanted_owners(world: "World") -> dict[tuple[str, str, str], set[str]]:
    """Which receiver of which collector must scrape which target, by the plain routes."""
    from cases import shares
    from parts import get

    wanted: dict[tuple[str, str, str], set[str]] = {}
    for job, config in get(f"{world.function}/scrape_configs").items():
        label = next((label for label, (_, namespace) in RECEIVERS.items() if job.split("/")[1] == namespace), None)
        if label is None:
            continue
        for collector, share in shares(world, job).items():
            for scrape in shop.scrapes_of(config, {collector: share}):
                wanted.setdefault(scrape, set()).add(f"{collector}.{label}")
    assert wanted, "no target in the pipelines"
    return wanted


def same(world: "World", wanted: dict[tuple[str, str, str], set[str]]) -> None:
    from cases import owners

    found = owners(world)
    missing, extra = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    assert not missing, f"{len(missing)} of {len(wanted)} not scraped: {sorted(missing)[:3]}"
    assert not extra, f"{len(extra)} scraped that should not be: {sorted(extra)[:3]}"
    wrong = {scrape: (who, wanted[scrape]) for scrape, who in found.items() if who != wanted[scrape]}
    assert not wrong, f"{len(wrong)} scraped by others: {sorted(wrong.items())[:3]}"

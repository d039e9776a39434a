#!/usr/bin/env python3
"""End-to-end tests with a real API server, real collectors and a real Prometheus.

A kube-apiserver holds the example shop. The function reads it with the rights of
examples/rbac.yaml, and runs under `cargo lambda watch`. Three collectors request
their targets through a gateway that checks service account tokens. They scrape
exporters and send the samples to a receiver. Later cases change tokens, credentials
and the cluster, and cause faults.

    python3 tests/peers/e2e [CASE...]     names of cases (default: all, in order)
"""

import sys

from cases import BY_NAME, CASES
from parts import World


def main() -> int:
    wanted = sys.argv[1:] or [name for name, _ in CASES]
    unknown = set(wanted) - {name for name, _ in CASES + BY_NAME}
    if unknown:
        print(f"no such case: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    passed = failed = 0
    with World() as world:
        for name, case in CASES + BY_NAME:
            if name not in wanted:
                continue
            try:
                print(f"ok   {name}: {case(world)}", flush=True)
                passed += 1
            except (AssertionError, OSError) as error:
                print(f"FAIL {name}: {error}", flush=True)
                failed += 1
        if failed:
            world.show_logs()
    print(f"e2e: {passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())

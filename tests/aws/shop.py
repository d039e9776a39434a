"""The content of examples/shop, written by hand from its manifests.

Nothing here is computed by the function or copied from its answers; SHARES comes
from the real hash ring.
"""

COLLECTORS = ["otel-collector-0", "otel-collector-1", "otel-collector-2"]

# Every job with a scrape config, and the addresses of its targets.
TARGETS = {
    "serviceMonitor/monitoring/node-exporter/0": [
        "10.20.1.10:9100",
        "10.20.1.11:9100",
        "10.20.2.10:9100",
    ],
    "serviceMonitor/monitoring/otel-collector/0": [
        "10.20.1.111:8888",
        "10.20.1.112:8888",
        "10.20.2.108:8888",
    ],
    # kube-state-metrics, and two pods of CoreDNS.
    "serviceMonitor/monitoring/platform/0": [
        "10.20.1.113:8080",
        "10.20.1.114:9153",
        "10.20.2.109:9153",
    ],
    # Two pods of catalog, because this monitor keeps the canary, and fraud.
    "serviceMonitor/monitoring/runtime/0": [
        "10.20.1.105:9500",
        "10.20.2.104:9500",
        "10.20.2.107:9500",
    ],
    "serviceMonitor/payments/fraud/0": ["10.20.2.107:8085"],
    "serviceMonitor/payments/ledger/0": ["10.20.1.110:9443"],
    "serviceMonitor/payments/payments/0": ["10.20.1.109:9464", "10.20.2.106:9464"],
    # The port of the sidecar. It is not in any service.
    "serviceMonitor/payments/payments/1": ["10.20.1.109:15090", "10.20.2.106:15090"],
    # Two pods of cart, two of checkout (one is not ready), one of catalog (the canary is dropped).
    "serviceMonitor/shop/backends/0": [
        "10.20.1.103:9464",
        "10.20.2.102:9464",
        "10.20.1.104:9464",
        "10.20.2.103:9464",
        "10.20.1.105:9464",
    ],
    "serviceMonitor/shop/postgres/0": ["10.20.1.107:9187"],
    "serviceMonitor/shop/postgres/1": ["10.20.1.107:9187"],
    "serviceMonitor/shop/redis/0": ["10.20.1.106:9121", "10.20.2.105:9121"],
    "serviceMonitor/shop/web/0": ["10.20.1.101:9113", "10.20.1.102:9113", "10.20.2.101:9113"],
    # The service of this monitor was deleted.
    "serviceMonitor/shop/wishlist/0": [],
}

# The assignment of these addresses to these collectors by the operator's own hash ring
# (tests/peers/build record).
SHARES = {
    "otel-collector-0": [
        "10.20.1.11:9100",
        "10.20.1.102:9113",
        "10.20.1.103:9464",
        "10.20.1.111:8888",
        "10.20.1.113:8080",
        "10.20.1.114:9153",
        "10.20.2.10:9100",
        "10.20.2.101:9113",
        "10.20.2.103:9464",
        "10.20.2.105:9121",
        "10.20.2.106:9464",
        "10.20.2.106:15090",
    ],
    "otel-collector-1": [
        "10.20.1.101:9113",
        "10.20.1.105:9464",
        "10.20.1.106:9121",
        "10.20.1.110:9443",
        "10.20.2.109:9153",
    ],
    "otel-collector-2": [
        "10.20.1.10:9100",
        "10.20.1.104:9464",
        "10.20.1.105:9500",
        "10.20.1.107:9187",
        "10.20.1.109:9464",
        "10.20.1.109:15090",
        "10.20.1.112:8888",
        "10.20.2.102:9464",
        "10.20.2.104:9500",
        "10.20.2.107:8085",
        "10.20.2.107:9500",
        "10.20.2.108:8888",
    ],
}

# The monitor without a job, and its missing Secret.
REFUSED = ("refunds", "refunds-scrape")

# Credentials that nobody may read unless SECRETS=inline.
CREDENTIALS = ["example-payments-token", "example-fraud-password"]

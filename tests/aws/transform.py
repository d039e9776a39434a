"""Reads templates with the tools of SAM. It runs in the Python of the tool `sam`, because only that has them.

    transform.py transform      each line of standard input is a request: {"parameters": {...}, "time": SECONDS}
    transform.py for-ministack BUILT TARGET

`transform` answers each request with a line: template.yaml as CloudFormation's transform expands it at this time.
`for-ministack` copies a built template without the alarms on expressions of metrics, which ministack does not know.
"""

import json
import logging
import os
import pathlib
import sys
import time
from types import SimpleNamespace

from samcli.yamlhelper import yaml_dump, yaml_parse
from samtranslator.translator.transform import transform

ROOT = pathlib.Path(__file__).resolve().parents[2]


# The transform warns about settings of AWS that it does not have here.
logging.disable(logging.WARNING)


def expanded(request):
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
    template = yaml_parse((ROOT / "template.yaml").read_text())
    # sam deploy writes the place of the uploaded code here.
    template["Resources"]["Function"]["Properties"]["CodeUri"] = "s3://bucket/key"
    now = time.time
    time.time = lambda: request["time"]
    try:
        return transform(template, request["parameters"], SimpleNamespace(load=lambda: {}))
    finally:
        time.time = now


def for_ministack(source, target):
    template = yaml_parse(source.read_text())
    resources = template["Resources"]
    template["Resources"] = {
        name: resource for name, resource in resources.items() if "Metrics" not in resource.get("Properties", {})
    }
    target.write_text(yaml_dump(template))


if __name__ == "__main__":
    if sys.argv[1] == "transform":
        for line in sys.stdin:
            print(json.dumps(expanded(json.loads(line))), flush=True)
    else:
        for_ministack(*map(pathlib.Path, sys.argv[2:]))

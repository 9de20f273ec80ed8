"""The calls of AWS's SDK in the two programs, as `{method: [service:Operation, ...]}`: each method of a source file that is
named like an operation of a service whose crate its package has."""

import json
import re
import sys
from pathlib import Path

import botocore.session
from botocore import xform_name

# Services whose crates have another name than botocore's.
NAMES = {"cloudwatchlogs": "logs", "eventbridge": "events", "sfn": "stepfunctions"}


def operations(service):
    model = botocore.session.get_session().get_service_model(NAMES.get(service, service))
    return {xform_name(name): f"{service}:{name}" for name in model.operation_names}


def main(root):
    found = {}
    for package in ("runner", "dispatcher"):
        crates = re.findall(r"^aws-sdk-(\w+) = ", (root / package / "Cargo.toml").read_text(), re.MULTILINE)
        known = [operations(crate) for crate in crates]
        for path in sorted((root / package / "src").rglob("*.rs")):
            text = path.read_text()
            if "tests" in path.parts or ("aws_sdk_" not in text and "Client" not in text):
                continue
            for method in re.findall(r"\.(\w+)\(\)", text):
                for service in known:
                    if method in service:
                        found.setdefault(service[method], set()).add(str(path.relative_to(root)))
    return {name: sorted(paths) for name, paths in sorted(found.items())}


print(json.dumps(main(Path(sys.argv[1]))))

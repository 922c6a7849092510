"""Runs one function of a component's own script: {"file": "tests/components/queue/boto.py", "do": "seed", "region": "us-east-1"}.

`seed(client)` makes in the primary what the stack follows, `read(client)` returns what of it there is in a region, as
JSON. `client` is `client("sqs")`: boto3 in that region. `{"do": "read", "region": ...}` prints what `read` returns.
"""

import importlib.util

from aws import args, client, emit

given = args()
spec = importlib.util.spec_from_file_location("component", given["file"])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
emit(getattr(module, given["do"])(lambda service: client(service, given["region"])))

"""Runs the snippet of docs/guide/fence.md as an application would.

In: {"doc": path of the page, "stack", "standby", "region": where the application runs, "table"?, "pk"?, "epoch"?: an older one}
Out: {"may_write", "epoch", "written": whether the item could be written, or null without a table}
"""

import os
import re

import boto3
from aws import ClientError, args, client, emit

wanted = args()
with open(wanted["doc"], encoding="utf-8") as page:
    snippet = re.search(r"```python\n(.*?)```", page.read(), re.DOTALL).group(1)
scope = {}
exec(compile(snippet, wanted["doc"], "exec"), scope)

fence = scope["Fence"](client("ssm", wanted["standby"]), wanted["stack"], wanted["region"])
written = None
if "table" in wanted:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    dynamodb = boto3.resource(
        "dynamodb", region_name=wanted["region"], endpoint_url=os.environ["AWS_ENDPOINT_URL"], **keys
    )
    fence.epoch = wanted.get("epoch", fence.epoch)
    try:
        scope["put"](dynamodb.Table(wanted["table"]), fence, {"pk": wanted["pk"]})
        written = True
    except (PermissionError, ClientError):
        written = False
emit({"may_write": fence.may_write(), "epoch": fence.epoch, "written": written})

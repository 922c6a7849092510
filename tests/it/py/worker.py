"""Runs the other scripts here, one after the other, so that boto3 is loaded once and not by each.

In, a line each: {"script": file, "args", "variables": {name: value}}, as if the script were run with these variables and with the
arguments on stdin. Out, a line each: {"printed": the JSON that the script printed} or {"failed": its traceback}.
"""

import contextlib
import io
import json
import os
import runpy
import sys
import traceback


def answer(asked):
    os.environ.update(asked["variables"])
    sys.stdin = io.StringIO(json.dumps(asked["args"]))
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(asked["script"], run_name="__main__")
        return {"printed": json.loads(printed.getvalue())}
    except Exception:
        return {"failed": traceback.format_exc()}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)

"""What the comparisons share: moto behind a proxy (peers/proxy.py), what one command took, and the calls that a run made."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.request
from datetime import datetime

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "benches/peers"
FIELDS = ("wall", "cpu", "tree_mb", "largest_mb", "requests")


def target():
    said = subprocess.check_output(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT)
    return pathlib.Path(json.loads(said)["target_directory"])


def wait_for(url):
    until = time.monotonic() + 60
    while True:
        try:
            return urllib.request.urlopen(url).read()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


class Server:
    """moto behind the proxy that counts and delays, with a primary of so many services in it."""

    def __init__(self, python, port, latency, services, log):
        env = {**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "true"}  # the services' image is one of moto's own
        moto = [python, ROOT / "tests/servers/moto_wsgi.py", str(port + 1)]
        proxy = [sys.executable, PEERS / "proxy.py", "--port", str(port), "--upstream", str(port + 1), "--latency-ms", str(latency)]
        self.children = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, env=env) for command in (moto, proxy)
        ]
        self.port = port
        wait_for(f"http://127.0.0.1:{port + 1}/moto-api/")
        wait_for(f"http://127.0.0.1:{port}/__proxy/stats")
        subprocess.run([python, PEERS / "seed_primary.py", str(services), f"http://127.0.0.1:{port + 1}"], check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        for child in self.children:
            child.kill()
            child.wait()


def measure(server, label, command, cwd, env, codes=(0,)):
    """Wall and CPU seconds, memory of the process tree and of its largest process, requests."""
    log = cwd / f"{label}.log"
    said = subprocess.run(
        [sys.executable, PEERS / "measure.py", "-t", "1800", label, str(server.port), *map(str, command)],
        cwd=cwd, env={**env, "MLOG": str(log)}, check=True, capture_output=True, text=True,
    ).stdout.strip().split("\t")
    if int(said[1]) not in codes:
        sys.exit(f"{label} ended with {said[1]}; see {log}:\n{log.read_text()[-2000:]}")
    return dict(zip(FIELDS, map(float, said[2:])))


def environment(port):
    """For drstack and boto3: the server at `port`, and nobody's credentials."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    return {**os.environ, **keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


def ask(python, script, port, **wanted):
    """What one of the tests' scripts for boto3 answers; it asks the server at `port`."""
    command = [python, "-B", ROOT / "tests/it/py" / script]
    asked = json.dumps(wanted)
    return json.loads(subprocess.run(command, input=asked, env=environment(port), check=True, capture_output=True, text=True).stdout)


def terraform_environment(port, plugins, folder):
    config = folder / "terraformrc"
    config.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{plugins}" }}\n}}\ndisable_checkpoint = true\n')
    env = {**os.environ, "TF_CLI_CONFIG_FILE": str(config), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    return env | {f"TF_VAR_{name}_endpoint": f"http://127.0.0.1:{port}" for name in ("primary", "dr", "global")}


def expect_terraform():
    """The folder of its provider; ends the program where Terraform is not at hand."""
    mirror = pathlib.Path(os.environ.get("TF_PLUGINS") or next(iter(pathlib.Path("/opt").glob("*/registry.terraform.io")), pathlib.Path("/none/x")).parent)
    if not (shutil.which("terraform") and mirror.is_dir()):
        sys.exit("skipped: terraform or its AWS provider is not here; nothing was measured")
    return mirror


def critical_path(notes):
    """The calls that lead back from the one that ended last, first to last: (begin, end, note) each."""
    moment = lambda text: datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00").timestamp()
    calls = [(moment(note["at"]), moment(note["at"]) + note["millis"] / 1000, note) for note in notes]
    calls.sort(key=lambda call: call[1])
    path, before = [], float("inf")
    for begin, end, note in reversed(calls):
        # Times are rounded to milliseconds.
        if end <= before + 0.001:
            path.append((begin, end, note))
            before = begin
    return path[::-1]


def print_gaps(path, most=12):
    """The longest times between calls of a critical path, which are drstack's own."""
    between = [(later[0] - earlier[1], earlier[2], later[2]) for earlier, later in zip(path, path[1:])]
    name = lambda note: f"{note['service']}:{note['operation']}"
    for gap, earlier, later in sorted(between, key=lambda it: -it[0])[:most]:
        print(f"{gap * 1000:6.0f} ms between {name(earlier)} and {name(later)}")

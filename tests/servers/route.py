"""One endpoint in front of several servers: `route.py --to PORT [--route SERVICE@REGION=PORT]... [--port PORT]`.

A request goes where the service and region of its signature say, else to `--to`. It also counts requests and loses regions,
and mends what both moto and fakecloud leave out: `CopyImage` ignores its tags, so the router sets them after it.
Prints `PORT=<port>` once it listens, on loopback only. Under `/__route/`:

  GET  calls                                    {"REGION/SERVICE/OPERATION": count}
  POST down?region=R[&how=reset|hang|503][&except=iam,sts][&also=iam,route53]    that region's services stop answering, and
                                                those of the whole partition wherever a call to them is signed for
  POST slow?ms=N                                each call takes so much longer on its way
  POST reset                                    the servers behind are empty again
  POST renew                                    so they are, and all that was asked for below is forgotten, as at the start
  POST fail?region=R&operation=O&code=C&status=S[&times=N]    that operation fails there, always or the next N times
  POST swallow?region=R&operation=O&path=P      that operation hears nothing there where its path holds P, and does nothing; counted as
                                                "swallowed O"
  POST hold?region=R&operation=O&body=TEXT&how=late|hang|CODE    that operation, where its request holds the text, is held until it is let go:
                                                `late`, then the first of them has its effect, though its caller may be gone; `hang`, then it
                                                has it for a caller that still waits; with an error's code, until then that is the answer
  POST release                                  what is held is let go
  POST scarce?region=R&left=N&code=C            fleets there get N instances more, and this error for the rest (fleets.py)
  GET  bare                                     {"REGION/s3/OPERATION": count} of what drstack asked without saying whose the bucket is
  POST squat?bucket=B&account=A                 a bucket of that name belongs to that account (owners.py)
  POST up                                       all answer again, and the counts start over
"""

import argparse
import asyncio
import collections
import json
import re
import urllib.parse

from fleets import Fleets
from offer import offered
from owners import Owners
from reserve import Reserved
from retire import Retired, beside

SCOPE = re.compile(rb"Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request")
ACTION = re.compile(rb"(?:^|[?&])Action=(\w+)")
IMAGE = re.compile(rb"<imageId>([^<]+)</imageId>")
TAGGED = re.compile(r"TagSpecification\.\d+\.ResourceType")
# Errors on the wire, by service; the rest is as IAM does it.
ERRORS = {
    "ec2": "<Response><Errors><Error><Code>{code}</Code><Message>injected</Message></Error></Errors><RequestID>r</RequestID></Response>",
    "s3": "<Error><Code>{code}</Code><Message>injected</Message><RequestId>r</RequestId></Error>",
    "dynamodb": '{{"__type": "com.amazonaws.dynamodb.v20120810#{code}", "message": "injected"}}',
    "ssm": '{{"__type": "{code}", "message": "injected"}}',
    "": "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>injected</Message></Error><RequestId>r</RequestId></ErrorResponse>",
}
# Words in the paths of Route 53; whatever else stands there is an id.
ROUTE53 = {"healthcheck", "hostedzone", "hostedzonesbyname", "rrset", "tags"}
HEAD_LIMIT = 1 << 20  # a request line with a long query and every header fit many times over


class Router:
    def __init__(self, default, routes):
        self.default, self.routes = default, routes
        self.begin()

    def begin(self):
        """Knows nothing of what was asked of it so far."""
        self.calls, self.down, self.latency, self.failing = collections.Counter(), {}, 0.0, {}
        self.held, self.let_go = [], asyncio.Event()
        self.gone, self.retired, self.reserved, self.fleets = {}, Retired(), Reserved(), Fleets()
        self.swallowing = []
        self.owners = Owners()

    def port(self, region, service):
        return self.routes.get(f"{service}@{region}", self.default)

    def lost(self, region, service):
        """How a request to this service fails, or nothing."""
        how, spared = self.down.get(region, (None, ()))
        return self.gone.get(service) or (None if service in spared else how)

    def error(self, region, service, operation):
        """What is answered in place of the server, or nothing."""
        rule = self.failing.get((region, operation))
        if not rule or not rule[2]:
            return None
        code, status, _ = rule
        rule[2] -= 1
        return self.refusal(service, code, status)

    def swallows(self, region, operation, path):
        return any(swallowed[:2] == (region, operation) and swallowed[2] in path for swallowed in self.swallowing)

    async def hold(self, region, service, operation, body, reader):
        """Keeps a request that is to be held: an answer in place of the server's, `False` where its caller is gone, else nothing."""
        for rule in self.held:
            if (rule["region"], rule["operation"]) != (region, operation) or rule["body"].encode() not in body:
                continue
            rule["seen"] += 1
            if rule["how"] not in ("late", "hang"):
                return self.refusal(service, rule["how"], 503 if rule["how"] == "ServiceUnavailable" else 400)
            is_first = rule["seen"] == 1
            await self.let_go.wait()
            # A request that the server has had is done, whoever waits for it; one that is still on its way goes with its connection.
            return None if rule["how"] == "late" and is_first or not reader.at_eof() else False
        return None

    def refusal(self, service, code, status):
        kind = "application/x-amz-json-1.0" if service in ("dynamodb", "ssm") else "text/xml"
        body = ERRORS.get(service, ERRORS[""]).format(code=code).encode()
        return f"HTTP/1.1 {status} Injected\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def control(self, path):
        url = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(url.query))
        answer = {}
        if url.path.endswith("/calls"):
            answer = dict(sorted(self.calls.items()))
        elif url.path.endswith("/down"):
            how = query.get("how", "reset")
            self.down[query["region"]] = (how, tuple(query.get("except", "").split(",")))
            self.gone = dict.fromkeys(filter(None, query.get("also", "").split(",")), how)
        elif url.path.endswith("/slow"):
            self.latency = float(query["ms"]) / 1000
        elif url.path.endswith("/fail"):
            times = int(query.get("times", 1 << 30))
            self.failing[query["region"], query["operation"]] = [query["code"], query["status"], times]
        elif url.path.endswith("/hold"):
            self.held, self.let_go = [{"body": "", **query, "seen": 0}], asyncio.Event()
        elif url.path.endswith("/swallow"):
            self.swallowing.append((query["region"], query["operation"], query["path"]))
        elif url.path.endswith("/release"):
            self.held = []
            self.let_go.set()
        elif url.path.endswith("/scarce"):
            self.fleets.tell(query["region"], int(query["left"]), query["code"])
        elif url.path.endswith("/bare"):
            answer = dict(sorted(self.owners.bare.items()))
        elif url.path.endswith("/squat"):
            self.owners.give(query["bucket"], query["account"])
        elif url.path.endswith("/up"):
            self.fleets, self.swallowing, self.owners = Fleets(), [], Owners()
            self.down, self.gone, self.calls, self.failing = {}, {}, collections.Counter(), {}
        body = json.dumps(answer).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def reset(self):
        """Each kind of server has a way of its own and knows nothing of the other's."""
        self.retired, self.reserved = Retired(), Reserved()
        for port in {self.default, *self.routes.values()}:
            for way in (b"/moto-api/reset", b"/_reset"):
                head = b"POST %s HTTP/1.1\r\nHost: route\r\nContent-Length: 0\r\n\r\n" % way
                connections = {}
                answer = await forward(connections, port, head, b"")
                for _, server in connections.values():
                    server.close()
                if b" 200 " in answer.split(b"\r\n", 1)[0]:
                    break

    def asker(self, servers, region, head):
        """Asks a service of `region` in the name of the caller: the servers check no signature, so a head serves again."""

        async def ask(service, fields):
            form = urllib.parse.urlencode(fields).encode()
            asked = re.sub(rb"(\r\ncontent-length:)[^\r]*", rb"\g<1> %d" % len(form), head, flags=re.I)
            asked = re.sub(rb"/autoscaling/aws4_request", b"/%s/aws4_request" % service.encode(), asked)
            return await forward(servers, self.port(region, service), asked, form)

        return ask

    async def client(self, reader, writer):
        servers = {}
        try:
            while message := await read_message(reader, writer):
                head, body = message
                path = head.split(b" ", 2)[1]
                if path.startswith(b"/__route/"):
                    if path.endswith(b"/renew"):
                        self.begin()
                    if path.endswith((b"/renew", b"/reset")):
                        await self.reset()
                    writer.write(self.control(path.decode()))
                    continue
                region, service, operation = classify(head, body)
                self.calls[f"{region}/{service}/{operation}"] += 1
                await asyncio.sleep(self.latency)
                how = self.lost(region, service)
                if self.swallows(region, operation, path.decode()):
                    self.calls[f"{region}/{service}/swallowed {operation}"] += 1
                    how = "hang"
                if how == "hang":
                    await reader.read()  # until the caller gives up
                if how == "503":
                    writer.write(self.refusal(service, "ServiceUnavailable", 503))
                    continue
                if how:
                    writer.transport.abort()
                    return
                if error := self.error(region, service, operation):
                    writer.write(error)
                    continue
                if service == "s3" and (refusal := self.owners.refusal(region, operation, head, header)):
                    writer.write(self.refusal(service, *refusal))
                    continue
                kept = await self.hold(region, service, operation, body, reader)
                if kept is False:
                    return
                if kept:
                    writer.write(kept)
                    continue
                port = self.port(region, service)
                if service == "autoscaling" and self.reserved.refuses(body):
                    writer.write(self.refusal(service, "ValidationError", 400))
                    continue
                if service == "autoscaling" and port != self.default:
                    # A server of its own for this region's groups is fakecloud's.
                    answer = await self.retired.answer(self.asker(servers, region, head), operation, body)
                elif operation == "CreateFleet":
                    answer = await self.fleets.answer(lambda *message: forward(servers, port, *message), region, head, body)
                else:
                    answer = await forward(servers, port, head, body)
                if service == "autoscaling":
                    answer = beside(operation, answer)
                    answer = self.reserved.answer(region, operation, body, answer)
                if operation == "DescribeInstanceTypeOfferings":
                    answer = offered(region, body, answer)
                if operation == "CopyImage":
                    await tag_copy(servers, port, head, body, answer)
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the caller went away, or a server did: the caller sees a closed connection
        finally:
            for _, server in servers.values():
                server.close()
            writer.close()


async def forward(servers, port, head, body):
    """The server's whole answer. A kept connection that the server has closed meanwhile is dialled again, once."""
    for attempt in (1, 2):
        kept = port in servers
        if not kept:
            servers[port] = await asyncio.open_connection("127.0.0.1", port, limit=HEAD_LIMIT)
        reader, writer = servers[port]
        try:
            writer.write(head + body)
            await writer.drain()
            answer = await read_message(reader, None, bodiless=head.startswith(b"HEAD "))
            if answer:
                if header(answer[0], b"connection").lower() == b"close":
                    servers.pop(port)[1].close()
                return b"".join(answer)
        except ConnectionError:
            if not kept:
                raise
        servers.pop(port)[1].close()
        if not kept:
            break
    raise ConnectionError("the server closed the connection without an answer")


async def tag_copy(servers, port, head, body, answer):
    """Sets the tags that a `CopyImage` asked for on the image that it made. The servers check no signature, so its head serves again."""
    image, tags = IMAGE.search(answer), image_tags(body)
    if not image or not tags:
        return
    fields = {"Action": "CreateTags", "Version": "2016-11-15", "ResourceId.1": image.group(1).decode()}
    for number, (key, value) in enumerate(sorted(tags.items()), 1):
        fields |= {f"Tag.{number}.Key": key, f"Tag.{number}.Value": value}
    form = urllib.parse.urlencode(fields).encode()
    head = re.sub(rb"(\r\ncontent-length:)[^\r]*", rb"\g<1> %d" % len(form), head, flags=re.I)
    tagged = await forward(servers, port, head, form)
    if b" 200 " not in tagged.split(b"\r\n", 1)[0]:
        raise RuntimeError(f"tagging a copied image: {tagged.decode()}")


def image_tags(body):
    """Tags for the image, of the fields `TagSpecification.1.Tag.2.Key` and so on."""
    fields = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
    specs = [name.rsplit(".", 1)[0] for name, value in fields.items() if TAGGED.fullmatch(name) and value == "image"]
    keys = [name for spec in specs for name in fields if name.startswith(f"{spec}.Tag.") and name.endswith(".Key")]
    return {fields[name]: fields.get(name[: -len("Key")] + "Value", "") for name in keys}


async def read_message(reader, writer, bodiless=False):
    """Head and body of one HTTP message, framing included, or None at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None
    if header(head, b"expect"):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        head = re.sub(rb"\r\nexpect:[^\r]*", b"", head, flags=re.I)
    status = head[9:12] if head.startswith(b"HTTP/") else b""
    if bodiless or status in (b"204", b"304"):
        return head, b""
    if header(head, b"transfer-encoding").lower() == b"chunked":
        return head, await read_chunks(reader)
    length = header(head, b"content-length")
    if status and not length:
        body = await reader.read()
        return head[:-2] + b"Content-Length: %d\r\n\r\n" % len(body), body
    return head, await reader.readexactly(int(length or 0))


async def read_chunks(reader):
    raw, last = [], False
    while not last:
        size = await reader.readuntil(b"\r\n")
        last = int(size.split(b";")[0], 16) == 0
        raw.append(size)
        if last:
            while (trailer := await reader.readuntil(b"\r\n")) != b"\r\n":
                raw.append(trailer)
            raw.append(b"\r\n")
        else:
            raw.append(await reader.readexactly(int(size.split(b";")[0], 16) + 2))
    return b"".join(raw)


def header(head, name):
    found = re.search(rb"\r\n" + name + rb":[ \t]*([^\r]*)", head, re.I)
    return found.group(1) if found else b""


def classify(head, body):
    """Region, service and operation of a request. S3 has no operation name on the wire: its method, depth and sub-resource do."""
    scope = SCOPE.search(header(head, b"authorization"))
    region, service = (part.decode() for part in scope.groups()) if scope else ("-", "-")
    method, path = head.split(b" ", 2)[:2]
    target = header(head, b"x-amz-target")
    action = ACTION.search(body) or ACTION.search(path)
    if target:
        return region, service, target.decode().rsplit(".", 1)[-1]
    if action:
        return region, service, action.group(1).decode()
    path, _, query = path.decode().partition("?")
    if "/operation/" in path:  # Smithy's CBOR protocol
        return region, service, path.rsplit("/", 1)[-1]
    if service == "route53":
        parts = (part if part in ROUTE53 else "*" for part in path.strip("/").split("/")[1:])
        return region, service, f"{method.decode()} {'/'.join(parts)}"
    depth = "Object" if path.strip("/").count("/") else "Bucket"
    names = (pair.split("=")[0] for pair in query.split("&"))
    sub = [name for name in names if name and name not in ("x-id", "list-type", "prefix", "encoding-type", "max-keys", "continuation-token")]
    return region, service, " ".join([method.decode(), depth if service == "s3" else path, *sub[:1]])


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=int, required=True, help="port of the server for everything else")
    parser.add_argument("--route", action="append", default=[], metavar="SERVICE@REGION=PORT")
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    router = Router(args.to, {name: int(port) for name, port in (route.split("=") for route in args.route)})
    server = await asyncio.start_server(router.client, "127.0.0.1", args.port, limit=HEAD_LIMIT, backlog=1024)
    print(f"PORT={server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

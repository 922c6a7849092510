"""CloudWatch's CBOR protocol in front of a server that knows its JSON one only: `translated(app)` is a WSGI application.

AWS's SDKs choose CBOR where a service has it, and moto 5.2.1 answers 404 to that. Shapes and formats are botocore's.
"""

import io
import re

import botocore.session
from botocore.parsers import JSONParser, RpcV2CBORParser
from botocore.serialize import JSONSerializer, RpcV2CBORSerializer

OPERATION = re.compile(r"/service/\w+/operation/(\w+)$")
MODEL = botocore.session.get_session().get_service_model("cloudwatch")


def translated(app):
    def call(environ, start_response):
        asked = OPERATION.match(environ["PATH_INFO"])
        if not asked:
            return app(environ, start_response)
        operation = MODEL.operation_model(asked.group(1))
        answer = {}

        def remember(status, headers, exc_info=None):
            answer.update(status=status, headers=dict(headers))

        said = b"".join(app(as_json(environ, operation), remember))
        headers, body = as_cbor(operation, answer["status"], answer["headers"], said)
        start_response(answer["status"], [*headers, ("Content-Length", str(len(body)))])
        return [body]

    return call


def as_json(environ, operation):
    """The request as the JSON protocol says it."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = io.BufferedReader(io.BytesIO(environ["wsgi.input"].read(length)))
    params = RpcV2CBORParser().parse_data_item(body) if length else {}
    request = JSONSerializer().serialize_to_request(params, operation)
    return {
        **environ,
        "PATH_INFO": "/",
        "CONTENT_TYPE": request["headers"]["Content-Type"],
        "CONTENT_LENGTH": str(len(request["body"])),
        "HTTP_X_AMZ_TARGET": request["headers"]["X-Amz-Target"],
        "wsgi.input": io.BytesIO(request["body"]),
    }


def as_cbor(operation, status, headers, said):
    """The answer, or the error, as the CBOR protocol says it."""
    code, body = int(status.split()[0]), bytearray()
    answer = {"status_code": code, "headers": headers, "body": said}
    parsed = JSONParser().parse(answer, operation.output_shape)
    parsed.pop("ResponseMetadata", None)
    kept = [(name, value) for name, value in headers.items() if name.lower() == "x-amzn-query-error"]
    serializer = RpcV2CBORSerializer()
    if code >= 300:
        error = parsed["Error"]
        fields = {"__type": error["Code"], "message": error.get("Message", "")}
        body += b"\xa2" + b"".join(text(part) for field in fields.items() for part in field)
    elif operation.output_shape:
        serializer._serialize_data_item(body, parsed, operation.output_shape)
    return [*kept, ("smithy-protocol", "rpc-v2-cbor"), ("Content-Type", "application/cbor")], bytes(body)


def text(value):
    """A text with its length in two bytes."""
    encoded = value.encode()
    return b"\x79" + len(encoded).to_bytes(2, "big") + encoded

"""Which instance types a zone offers: fakecloud's `DescribeInstanceTypeOfferings` takes every question and answers none.

Here each type that is asked for is offered in the first three zones of the region, as AWS's reference shows an answer.
"""

import re
import urllib.parse

ZONES = "abc"
ITEM = (
    "<item><instanceType>{of}</instanceType><locationType>availability-zone</locationType>"
    "<location>{region}{zone}</location></item>"
)


def offered(region, body, answer):
    """The server's answer, or one that offers what was asked for where the server's is empty."""
    head, page = answer.split(b"\r\n\r\n", 1)
    if b" 200 " not in head.split(b"\r\n", 1)[0] or b"<item>" in page:
        return answer
    fields = dict(urllib.parse.parse_qsl(body.decode()))
    named = [name[: -len("Name")] for name, value in fields.items() if name.endswith(".Name") and value == "instance-type"]
    types = [value for name, value in fields.items() if any(name.startswith(f"{it}Value.") for it in named)]
    items = "".join(ITEM.format(of=of, region=region, zone=zone) for of in types for zone in ZONES)
    page = (
        '<DescribeInstanceTypeOfferingsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>offer</requestId>'
        f"<instanceTypeOfferingSet>{items}</instanceTypeOfferingSet></DescribeInstanceTypeOfferingsResponse>"
    ).encode()
    head = re.sub(rb"(\r\ncontent-length:)[^\r]*", rb"\g<1> %d" % len(page), head, flags=re.I)
    return head + b"\r\n\r\n" + page

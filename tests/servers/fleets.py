"""What neither moto nor fakecloud does with `CreateFleet`: a region that has too little.

moto launches whatever a fleet of type `instant` asks for and knows no errors of single pools. So once a region is told to be
scarce, its fleets are asked for no more than is left, and for the rest an error stands in the answer, as EC2 puts it there for each
type and subnet.
"""

import re
import urllib.parse

TARGET = "TargetCapacitySpecification."
SIZES = (TARGET + "TotalTargetCapacity", TARGET + "OnDemandTargetCapacity")
END = b"</CreateFleetResponse>"


class Fleets:
    def __init__(self):
        self.scarce = {}

    def tell(self, region, left, code):
        self.scarce[region] = [left, code]

    async def answer(self, forward, region, head, body):
        if region not in self.scarce:
            return await forward(head, body)
        left, code = self.scarce[region]
        fields = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        wanted = int(fields[SIZES[0]])
        given = min(left, wanted)
        self.scarce[region][0] -= given
        form = urllib.parse.urlencode(fields | dict.fromkeys(SIZES, str(given))).encode()
        answer = await forward(sized(head, form), form)
        if given == wanted or b" 200 " not in answer.split(b"\r\n", 1)[0]:
            return answer
        error = f"<item><errorCode>{code}</errorCode><errorMessage>injected</errorMessage><lifecycle>on-demand</lifecycle></item>"
        first, text = answer.split(b"\r\n\r\n", 1)
        text = text.replace(END, b"<errorSet>%s</errorSet>%s" % (error.encode(), END))
        return sized(first + b"\r\n\r\n", text) + text


def sized(head, body):
    return re.sub(rb"(\r\ncontent-length:)[^\r]*", rb"\g<1> %d" % len(body), head, flags=re.I)

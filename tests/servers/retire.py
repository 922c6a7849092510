"""What fakecloud's Auto Scaling does not know and a failover needs: schedules, protection from scaling in, and ending one instance.

fakecloud answers `ValidationError: Action ... is not supported` to all three, and an instance that EC2 has ended stays in its group
and counts. So nothing is scheduled, protection is answered with yes (nothing scales in while instances are exchanged), and ending an instance is
EC2's TerminateInstances on the same server. Ended ones stay in fakecloud's group and are taken out of what it tells: the group
in the server wants as many more as there are of them.
"""

import collections
import re
import urllib.parse

NAME = re.compile(r"<AutoScalingGroupName>([^<]+)</AutoScalingGroupName>")
SIZES = ("DesiredCapacity", "MaxSize")
AUTOSCALING = "2011-01-01"


class Retired:
    def __init__(self):
        self.ids = collections.defaultdict(list)

    async def answer(self, ask, operation, body):
        fields = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        if operation == "SetInstanceProtection":
            return done(operation)
        if operation == "TerminateInstanceInAutoScalingGroup":
            return await self.end(ask, fields)
        if operation == "UpdateAutoScalingGroup":
            more = len(self.ids[fields["AutoScalingGroupName"]])
            fields |= {size: str(int(fields[size]) + more) for size in SIZES if size in fields}
        if operation == "DeleteAutoScalingGroup":
            self.ids.pop(fields["AutoScalingGroupName"], None)
        answer = await ask("autoscaling", fields)
        return self.told(answer) if operation == "DescribeAutoScalingGroups" else answer

    async def end(self, ask, fields):
        id = fields["InstanceId"]
        text = (await ask("autoscaling", {"Action": "DescribeAutoScalingGroups", "Version": AUTOSCALING})).decode()
        name = NAME.findall(text[: text.index(id)])[-1]
        ended = await ask("ec2", {"Action": "TerminateInstances", "Version": "2016-11-15", "InstanceId.1": id})
        if b" 200 " not in ended.split(b"\r\n", 1)[0]:
            return ended
        self.ids[name].append(id)
        if fields["ShouldDecrementDesiredCapacity"] == "false":
            after = text[text.index(f"<AutoScalingGroupName>{name}<") :]
            sizes = {size: int(re.search(rf"<{size}>(\d+)<", after).group(1)) + 1 for size in SIZES}
            await ask("autoscaling", {"Action": "UpdateAutoScalingGroup", "Version": AUTOSCALING, "AutoScalingGroupName": name, **sizes})
        return done("TerminateInstanceInAutoScalingGroup")

    def told(self, answer):
        """Groups without what was ended."""
        head, body = answer.split(b"\r\n\r\n", 1)
        text = body.decode()
        # Each group from its name to the next one's.
        parts = re.split(r"(?=<AutoScalingGroupName>)", text)
        for number, part in enumerate(parts):
            name = NAME.match(part)
            ended = self.ids[name.group(1)] if name else []
            for id in ended:
                part = re.sub(rf"<member>(?:(?!<member>).)*?<InstanceId>{id}</InstanceId>.*?</member>", "", part, flags=re.S)
            for size in SIZES if ended else ():
                part = re.sub(rf"(<{size}>)(\d+)", lambda it: f"{it.group(1)}{int(it.group(2)) - len(ended)}", part)
            parts[number] = part
        body = "".join(parts).encode()
        head = re.sub(rb"(\r\ncontent-length:)[^\r]*", rb"\g<1> %d" % len(body), head, flags=re.I)
        return head + b"\r\n\r\n" + body


# What hangs on groups. A server that does not know a question has none of it.
BESIDE = ("DescribeLifecycleHooks", "DescribeNotificationConfigurations", "DescribePolicies", "DescribeScheduledActions")


def beside(operation, answer):
    """The answer to a question for what hangs on groups: none of a server that knows of none."""
    return done(operation) if operation in BESIDE and b"is not supported" in answer else answer


def done(operation):
    body = f'<{operation}Response xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><{operation}Result/></{operation}Response>'.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body) + body

"""What neither moto nor fakecloud keeps of a group: its `CapacityReservationSpecification`.

Both take the fields and forget them. So they are kept here, from the requests that make and change a group, and put into what the
servers tell of it. What AWS's reference rules out is refused: an unknown preference, and a target beside `none` or `default`.
"""

import re
import urllib.parse

NAME = re.compile(r"<AutoScalingGroupName>([^<]+)</AutoScalingGroupName>")
FIELD = "CapacityReservationSpecification."
PREFERENCE = FIELD + "CapacityReservationPreference"
TARGET = FIELD + "CapacityReservationTarget."
PREFERENCES = {"capacity-reservations-only", "capacity-reservations-first", "none", "default"}
LISTS = ("CapacityReservationIds", "CapacityReservationResourceGroupArns")


class Reserved:
    def __init__(self):
        self.said = {}

    def refuses(self, body):
        """Whether AWS would not take what a request says."""
        fields = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        if not any(name.startswith(FIELD) for name in fields):
            return False
        preference = fields.get(PREFERENCE)
        targeted = any(name.startswith(TARGET) for name in fields)
        return preference not in PREFERENCES or targeted and preference in ("none", "default")

    def answer(self, region, operation, body, answer):
        """The server's answer with what is kept, once that is kept."""
        if b" 200 " not in answer.split(b"\r\n", 1)[0]:
            return answer
        fields = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        key = region, fields.get("AutoScalingGroupName")
        if operation == "DeleteAutoScalingGroup":
            self.said.pop(key, None)
        if operation in ("CreateAutoScalingGroup", "UpdateAutoScalingGroup") and PREFERENCE in fields:
            self.said[key] = {name: value for name, value in fields.items() if name.startswith(FIELD)}
        return self.told(region, answer) if operation == "DescribeAutoScalingGroups" else answer

    def told(self, region, answer):
        head, body = answer.split(b"\r\n\r\n", 1)
        body = NAME.sub(lambda name: self.xml(region, name.group(1)) + name.group(0), body.decode()).encode()
        head = re.sub(rb"(\r\ncontent-length:)[^\r]*", rb"\g<1> %d" % len(body), head, flags=re.I)
        return head + b"\r\n\r\n" + body

    def xml(self, region, name):
        fields = self.said.get((region, name))
        if not fields:
            return ""
        lists = ""
        for key in LISTS:
            members = [value for field, value in sorted(fields.items()) if field.startswith(f"{TARGET}{key}.member.")]
            lists += f"<{key}>{''.join(f'<member>{it}</member>' for it in members)}</{key}>" if members else ""
        target = f"<CapacityReservationTarget>{lists}</CapacityReservationTarget>" if lists else ""
        preference = f"<CapacityReservationPreference>{fields[PREFERENCE]}</CapacityReservationPreference>"
        return f"<CapacityReservationSpecification>{preference}{target}</CapacityReservationSpecification>"

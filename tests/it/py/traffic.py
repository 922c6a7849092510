"""Moves traffic and looks where it goes. In: {"region", "do", ...}, where "do" is one of

  answer   zone, record     what DNS answers now: Out: {"answer": [names]}; fakecloud alone can say
  status   check, status    the status of a health check, as its checkers would find it; fakecloud alone can be told
  alarm    alarm, state     the state of an alarm, as CloudWatch would find it
  write    stack, traffic, value, ago   a datapoint of the switch's metric, so many seconds ago

Out: {} where nothing else is said.
"""

import datetime
import json
import os
import urllib.request

from aws import Region, args, emit

wanted = args()
on = Region(wanted["region"])


def answer():
    asked = on.route53.test_dns_answer(HostedZoneId=wanted["zone"], RecordName=wanted["record"], RecordType="CNAME")
    return {"answer": asked["RecordData"]}


def status():
    url = f"{os.environ['AWS_ENDPOINT_URL']}/_fakecloud/route53/health-checks/{wanted['check']}/status"
    body = json.dumps({"status": wanted["status"]}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()
    return {}


def alarm():
    on.cloudwatch.set_alarm_state(AlarmName=wanted["alarm"], StateValue=wanted["state"], StateReason="a test says so")
    return {}


def write():
    when = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=wanted["ago"])
    dimensions = [{"Name": name, "Value": wanted[name]} for name in ("stack", "traffic")]
    datum = {"MetricName": "standby-serves", "Dimensions": dimensions, "Value": wanted["value"], "Timestamp": when}
    on.cloudwatch.put_metric_data(Namespace="drstack", MetricData=[datum])
    return {}


emit({"answer": answer, "status": status, "alarm": alarm, "write": write}[wanted["do"]]())

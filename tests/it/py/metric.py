"""Writes one datapoint of a metric, as a service of AWS would.

In: {"region", "namespace", "name", "dimensions": {name: value}, "value", "ago": seconds}
Out: {}
"""

import datetime

from aws import args, client, emit

wanted = args()
when = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=wanted["ago"])
dimensions = [{"Name": name, "Value": value} for name, value in wanted["dimensions"].items()]
datum = {"MetricName": wanted["name"], "Dimensions": dimensions, "Timestamp": when, "Value": wanted["value"]}
client("cloudwatch", wanted["region"]).put_metric_data(Namespace=wanted["namespace"], MetricData=[datum])
emit({})

"""Sets a service quota. In: {"region", "service", "code", "value"}. Out: {}; fakecloud grants whatever is asked for at once."""

from aws import args, client, emit

wanted = args()
quotas = client("service-quotas", wanted["region"])
quotas.request_service_quota_increase(
    ServiceCode=wanted["service"], QuotaCode=wanted["code"], DesiredValue=float(wanted["value"])
)
emit({})

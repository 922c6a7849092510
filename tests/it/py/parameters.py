"""Reads or changes SSM parameters.

In: {"region", "path", "set"?: {"name": "value"}}
Out: {name: {"value", "type", "tags"}} of all below the path
"""

from aws import args, client, emit, pages, tag_map

wanted = args()
ssm = client("ssm", wanted["region"])
for name, value in wanted.get("set", {}).items():
    ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)


def parameter(found):
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=found["Name"])["TagList"]
    return {"value": found["Value"], "type": found["Type"], "tags": tag_map(tags)}


found = pages(ssm, "get_parameters_by_path", "Parameters", Path=wanted["path"], Recursive=True)
emit({it["Name"]: parameter(it) for it in found})

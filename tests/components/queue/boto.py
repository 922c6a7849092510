"""A queue with a dead-letter queue of its own, and a FIFO queue whose dead letters go to one that has a component."""

import json

FOLLOWED = (
    "VisibilityTimeout",
    "MessageRetentionPeriod",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "FifoQueue",
    "ContentBasedDeduplication",
    "SqsManagedSseEnabled",
)
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


def seed(client):
    sqs = client("sqs")

    def queue(name, dead_letters=None, **attributes):
        if dead_letters:
            policy = {"deadLetterTargetArn": dead_letters, "maxReceiveCount": 4}
            attributes["RedrivePolicy"] = json.dumps(policy)
        url = sqs.create_queue(QueueName=name, Attributes=attributes, tags={"team": "routing"})["QueueUrl"]
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    dead = queue("acme-jobs-dead", MessageRetentionPeriod="1209600")
    queue("acme-jobs", dead, VisibilityTimeout="90", DelaySeconds="5", ReceiveMessageWaitTimeSeconds="20")
    parked = queue("acme-parked.fifo", FifoQueue="true")
    queue("acme-events.fifo", parked, FifoQueue="true", ContentBasedDeduplication="true", VisibilityTimeout="45")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="acme-jobs")["QueueUrl"], MessageBody="one")


def read(client):
    sqs = client("sqs")
    found = {}
    for url in sqs.list_queues().get("QueueUrls", []):
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        queue = {name: told[name] for name in FOLLOWED if name in told}
        queue["messages"] = sum(int(told[name]) for name in COUNTS)
        queue["tags"] = {key: value for key, value in tags.items() if key != "drstack:spec"}
        if "RedrivePolicy" in told:
            policy = json.loads(told["RedrivePolicy"])
            queue["dead letters"] = [policy["deadLetterTargetArn"], int(policy["maxReceiveCount"])]
        found[url.rsplit("/", 1)[1]] = queue
    return found


def change(client):
    sqs = client("sqs")
    jobs = sqs.get_queue_url(QueueName="acme-jobs")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=jobs, Attributes={"VisibilityTimeout": "120", "RedrivePolicy": ""})


def fill(client):
    sqs = client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="acme-jobs")["QueueUrl"], MessageBody="one")


def purge(client):
    sqs = client("sqs")
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName="acme-jobs")["QueueUrl"])


def nothing(client):
    return {}

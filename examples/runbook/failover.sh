#!/bin/sh
# Fails over in the standby region, from any machine that has drstack and credentials: no file of the stack is needed.
#   DRSTACK_VERIFY_KEY=ed25519:... STANDBY=us-west-2 CONTROL=acme-drstack-usw2 STACK=fleet-routing \
#     examples/runbook/failover.sh [--dry-run | ...]
# The key is the public half of the one that the stack's applies sign with (`drstack keys show FILE`): without it, who may write to the
# control bucket would decide what is made, and what runs on this machine.
# Exit codes are drstack's: 0 it serves and answered, 3 it did so later than the RTO or no check asked it, 1 not complete, 4 somebody else is at it.
# A region that is short of capacity ends with 1: the hint then names the command that accepts what is in service (--minimum N%).
set -eu
: "${STANDBY:?the standby region}" "${CONTROL:?the control bucket}" "${STACK:?the name of the stack}"
: "${DRSTACK_VERIFY_KEY:?the public key that the bundle is signed with}"
for value in "$STANDBY" "$CONTROL" "$STACK"; do
    case $value in
        -* | *[!a-z0-9.-]*) printf '%s is neither a region, a bucket nor a stack\n' "$value" >&2; exit 64 ;;
    esac
done
export DRSTACK_VERIFY_KEY
export AWS_REGION="$STANDBY" AWS_STS_REGIONAL_ENDPOINTS=regional    # nothing is asked of another region

drstack=${DRSTACK:-drstack}
tries=5             # a failover that was cut short goes on where it stood
while :; do
    status=0
    "$drstack" failover --bundle "s3://$CONTROL/$STACK" --region "$STANDBY" --auto-approve "$@" || status=$?
    tries=$((tries - 1))
    case $status in
        1) [ "$tries" -gt 0 ] || exit 1 ;;
        *) exit "$status" ;;
    esac
    printf 'not complete: going on in 10 seconds, %s tries left\n' "$tries" >&2
    sleep 10
done

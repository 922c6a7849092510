#!/bin/sh
# The pipeline step after a production deploy: brings the standby region in line with the primary, and says whether a failover would work.
#   STACK=stacks/fleet-routing examples/ci/sync.sh [--check | --json | ...]
# `SUMMARY=page.md` appends what came of it to that file; a job of GitHub Actions has a page of its own.
# The credentials need the role `sync` (`drstack iam-policy STACK --role sync`), with `CHECK=1` the role `read`.
# Exit codes are drstack's: 0 in line and ready, 3 behind or something is left to a person, 1 failed or AWS did not answer, 4 another run has the
# lock (waited for up to ten minutes), 64 and 65 a mistake in the command or the stack.
set -eu
: "${STACK:?the folder of the stack}"
case $STACK in
    -*) printf '%s is no folder\n' "$STACK" >&2; exit 64 ;;
esac
[ -z "${CHECK:-}" ] || set -- --check "$@"

drstack=${DRSTACK:-drstack}
tries=20            # a person's apply, or the step of another deploy, may have the lock
while :; do
    status=0
    "$drstack" sync "$STACK" ${SUMMARY:+--summary "$SUMMARY"} "$@" || status=$?
    tries=$((tries - 1))
    if [ "$status" -ne 4 ] || [ "$tries" -le 0 ]; then break; fi
    printf 'another run has the lock: trying again in %s seconds, %s times\n' "${PAUSE:-30}" "$tries" >&2
    sleep "${PAUSE:-30}"
done
# What is in line may still not be ready: an RTO that is missed, a table that an earlier failover left.
[ "$status" -ne 0 ] || "$drstack" status "$STACK" ${SUMMARY:+--summary "$SUMMARY"} || status=$?
exit "$status"

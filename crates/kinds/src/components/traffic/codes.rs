//! Diagnostics of `[traffic.NAME]`.

use drstack_core::diagnostic::codes::Code;

pub(super) const CODES: &[Code] = &[
    (
        "DR250",
        "not a DNS name",
        "Names of zones, records and targets are labels of letters, digits and `-` with dots between them. A record cannot be the zone's own name, which takes no CNAME, and no wildcard. It is what stands before the zone, without the zone, and no side of it may be the record itself.",
    ),
    (
        "DR251",
        "the hosted zone is not found",
        "`zone` is a public hosted zone of Route 53 in this account, by name or by id. Where two have one name, only the id says which.",
    ),
    (
        "DR252",
        "the record is somebody else's",
        "The name is answered by a record that drstack did not make. With `adopt = true` a CNAME that leads to `primary_target` is adopted in one change, and put back by `destroy`; anything else stays as it is.",
    ),
    (
        "DR253",
        "not a probe",
        "Route 53 asks an HTTPS address for its health: a DNS name, a port if it is not 443, and a path of 255 characters at most.",
    ),
    (
        "DR254",
        "no target in the standby region",
        "`standby_target` is the DNS name of a load balancer in the standby region, another one than the primary's. Pools have no load balancer of their own yet.",
    ),
    (
        "DR255",
        "shares of traffic that do not go together",
        "`standby_share`, `ramp` and `ramp_pause` go with `policy = \"weighted\"`. A ramp is of rising shares and ends with 100 %; `probe` is asked between two of them, so it needs `watch`. docs/guide/traffic.md shows how a failback takes them.",
    ),
    (
        "DR256",
        "aliases that cannot be made",
        "A side is a DNS name, or a load balancer by alias: `{ alias = \"lb-1.us-east-1.elb.amazonaws.com\", zone = \"Z35SXDOTRQ7X7K\" }`, where `zone` is the load balancer's `CanonicalHostedZoneId`. Both sides are the one or the other, since records of one name are of one type. The zone's own name, `record = \"\"`, takes aliases alone: a CNAME cannot stand there.",
    ),
];

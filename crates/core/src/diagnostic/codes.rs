//! The codes of diagnostics, for `drstack explain`.

/// Code, title and page of every diagnostic.
pub const CODES: &[(&str, &str, &str)] = &[
    (
        "DR001",
        "the TOML does not parse",
        "The file is not TOML 1.0 at the place shown. All syntax errors of a file are reported at once.",
    ),
    ("DR002", "no `[stack]` table", "A stack file starts with `[stack]`: name, primary, standby, posture."),
    (
        "DR003",
        "the `[stack]` table is incomplete",
        "`name`, `primary`, `standby` and `posture` are required; `control`, `rto`, `rpo` and `signing` may follow.",
    ),
    ("DR004", "a file cannot be read", "STACK is a folder with a `stack.toml`, or the file itself."),
    (
        "DR005",
        "unknown key",
        "The table has no such field; a similar one is suggested. `drstack schema` lists all fields.",
    ),
    ("DR006", "not a table", "Components, modules and inputs are tables: `[bucket.models]`."),
    (
        "DR007",
        "unknown kind",
        "`drstack kinds` lists the kinds of components of this build. `[stack]` and `[sim]` stand in a `stack.toml` alone, `[outputs]` in a `module.toml`.",
    ),
    ("DR008", "not a name", "Names are made of 1 to 64 letters, digits, `-` and `_`."),
    ("DR009", "wrong type", "The value does not have the type its field wants."),
    ("DR010", "not a duration", "Durations are written as `8m`, `1h 30m` or `5s`."),
    ("DR011", "not a posture", "The postures are `cold`, `pilot-light`, `warm` and `hot`."),
    ("DR012", "not a tier", "Tiers are 1 (recovered first), 2 and 3 (last)."),
    (
        "DR013",
        "user data cannot be read",
        "`user_data_file` is relative to the file that names it; it and `user_data` exclude each other.",
    ),
    (
        "DR014",
        "not a stack name",
        "Names of AWS objects are made from it: 2 to 32 lower-case letters, digits and `-`.",
    ),
    ("DR015", "not a region", "Regions are written as AWS names them: `us-west-2`."),
    ("DR016", "one region", "The standby region must be another one than the primary."),
    (
        "DR017",
        "not a public key",
        "`signing` names whose signature the stack's bundle must bear: the public key that `drstack keys new FILE` prints, `ed25519:` and 64 hexadecimal digits. The private key stays in its file.",
    ),
    (
        "DR101",
        "an input is not declared well",
        "An input has a `type` (string, integer, boolean, float, list), and may have `default` and `description`.",
    ),
    (
        "DR102",
        "an input has no value",
        "Give it with `-i name=value`, `--inputs FILE`, `DRSTACK_INPUT_name`, or a `default`.",
    ),
    ("DR103", "an input has the wrong type", "The value given does not fit the declared type."),
    ("DR104", "no such input", "A value was given for an input that is not declared."),
    ("DR110", "a template is not closed", "Templates are written `${name}`; `$${` stands for a plain `${`."),
    (
        "DR111",
        "a template names nothing",
        "Templates know inputs, `stack.name`, `primary.region`, `standby.region` and, under `for_each`, `each.key`.",
    ),
    ("DR112", "a list within a string", "A list can only be the whole string: `\"${input.types}\"`."),
    (
        "DR113",
        "a text too long",
        "With its templates replaced, the text has more than 64 KiB, which no field takes.",
    ),
    (
        "DR120",
        "`for_each` is not a list of names",
        "It is a list of distinct names, or an integer input: 3 makes \"000\", \"001\", \"002\".",
    ),
    (
        "DR121",
        "too many components",
        "A stack has 100,000 components and modules at most, each key of a `for_each` counted.",
    ),
    (
        "DR122",
        "a stack too large",
        "With every `for_each` and every use of a module written out, a stack has 64 MiB at most.",
    ),
    ("DR123", "too many inputs", "A stack or module has 1,000 inputs at most."),
    (
        "DR130",
        "a module has no source",
        "`source` is the module's folder, relative to the file that uses it.",
    ),
    ("DR131", "modules too deep", "Modules are nested more than 100 deep."),
    ("DR132", "a module uses itself", "Following `source` leads back to the same module."),
    ("DR133", "a module cannot be read", "`source` is a folder that holds a `module.toml`."),
    ("DR134", "an output is not a reference", "Outputs name components: `models = \"@bucket.models\"`."),
    (
        "DR140",
        "a reference names nothing",
        "References are `@kind.name`, or `@module.name.output`; inside a module they stay inside it. One that is given to a module as an input names something where it is given.",
    ),
    (
        "DR141",
        "a circle of references",
        "Components that need each other cannot be made in any order. Every edge is shown.",
    ),
    (
        "DR201",
        "the RTO is shorter than the posture allows",
        "A posture has a shortest time in which it can recover; docs/guide/postures.md has the bands.",
    ),
    (
        "DR202",
        "the RTO is shorter than usual",
        "The posture can meet it, but usually needs longer: prove it with a drill.",
    ),
    (
        "DR203",
        "an RPO of zero",
        "Replication is asynchronous: what is in flight when the region dies is lost. drstack never promises zero.",
    ),
    (
        "DR204",
        "the RPO is shorter than the posture allows",
        "A cold posture restores from copies that are hours old.",
    ),
    (
        "DR210",
        "the primary bucket does not exist",
        "drstack replicates buckets that exist; it makes none in the primary region.",
    ),
    (
        "DR211",
        "the primary table does not exist",
        "drstack replicates tables that exist; it makes none in the primary region.",
    ),
    (
        "DR212",
        "a table cannot have a replica",
        "Provisioned tables need auto scaling of writes before a replica can be added; on-demand tables need nothing.",
    ),
    (
        "DR213",
        "a replica needs a key",
        "A table under a customer-managed key needs `kms_key`, a key of the standby region.",
    ),
    ("DR214", "not a bucket name", "S3 bucket names have 3 to 63 lower-case letters, digits, `.` and `-`."),
    (
        "DR215",
        "objects under a KMS key are not copied",
        "S3 copies objects under KMS keys only where a rule says under which key the copies are kept. Objects under the primary's key cannot be read in the standby region anyway.",
    ),
    (
        "DR216",
        "the bucket has replication rules of others",
        "S3 has one role for all replication rules of a bucket. The rules of others stay, and so does their role, which has to be allowed to write to the standby bucket too.",
    ),
    (
        "DR217",
        "the stream shows too little",
        "A replica needs a stream with new and old images. A stream's view cannot be changed; it has to be switched off and on, and its readers start over.",
    ),
    (
        "DR218",
        "a cold table is only exported",
        "Each apply exports a cold table to `exports/STACK/TABLE` in the control bucket, unless an export of the last 24 hours (or of its RPO, where that is less) is there. A failover imports the newest complete export into a table of the same name, with the keys and global indexes that the primary's table had when it was last asked. What was written since that export is lost with the primary.",
    ),
    (
        "DR219",
        "image not found",
        "Images of one's own are copied; images of others are found by name and owner in the standby region, where their publisher has to have put them.",
    ),
    (
        "DR220",
        "a network that is not wanted or found",
        "Say `cidr` for a new network, or `vpc`, `subnets` and `security_groups` of one that exists.",
    ),
    (
        "DR221",
        "no zones",
        "State `zones`, two at least; they are asked of the standby region where the stack does not say them.",
    ),
    ("DR222", "a network too small", "Each zone gets a subnet of equal size, /28 at least."),
    (
        "DR230",
        "the primary's group does not exist",
        "`follows` names an Auto Scaling group of the primary region.",
    ),
    (
        "DR231",
        "a pool lacks something",
        "What is not followed from the primary's group has to be stated: `capacity`, `instance_types`, `image`.",
    ),
    (
        "DR232",
        "a standby share that is not usual",
        "Warm pools run 20-30 % of the primary's capacity, hot pools 100 %.",
    ),
    ("DR233", "not a share", "Shares are written as percentages: `standby_share = \"25%\"`."),
    (
        "DR234",
        "not reserved capacity that the pool could use",
        "`reservations` names Capacity Reservations (`cr-...`) or resource groups of them (by ARN) of the standby region. They hold on-demand capacity.",
    ),
    (
        "DR235",
        "reserved capacity that is not there, or does not fit",
        "A Capacity Reservation that a pool names has to exist in the standby region and should be for one of the pool's instance types. One that ended is done without in a failover.",
    ),
    (
        "DR236",
        "a type of another size does not fit",
        "`larger` says of how many usual instances one does the work, `smaller` how many do the work of one. Both are for types that `instance_types` does not name.",
    ),
    (
        "DR237",
        "EC2 Fleet cannot launch for this pool",
        "`engine = \"fleet\"` has EC2 Fleet launch on-demand instances of the pool's usual types, which its group adopts. It goes neither with spot in a failover, nor with reservations, nor with types of other sizes: leave one of the two out.",
    ),
    (
        "DR238",
        "a group that is far below its capacity",
        "The Auto Scaling group that a pool follows has a desired capacity of 0, or fell by more than half. The highest capacity of the last 7 days, or what a scheduled action sets, is what a failover starts; `capacity` in the stack goes before both. docs/guide/capacity.md has the rest.",
    ),
    (
        "DR240",
        "launching takes longer than the RTO",
        "EC2 lets an account launch 1,000 instances at once in a region, and 2 a second after that. docs/guide/postures.md has the arithmetic; AWS raises the budget on request.",
    ),
    (
        "DR250",
        "not a DNS name",
        "Names of zones, records and targets are labels of letters, digits and `-` with dots between them. A record cannot be the zone's own name, which takes no CNAME, and no wildcard.",
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
    (
        "DR257",
        "an `after` leaves out pools",
        "Without `after`, traffic moves in a failover once all restored tables, pools and checks of its tier and of the tiers before it are up. `after` names pools in place of that, `after = []` none. Here it leaves out pools for which no other traffic waits either: users may be sent to a region in which they do not serve yet.",
    ),
    (
        "DR260",
        "a check looks at nothing, or at several things",
        "A check has one of `http`, `table`, `object` and `command`; docs/guide/checks.md shows each.",
    ),
    (
        "DR261",
        "fields of a check that do not go together",
        "`status` and `contains` go with `http`, `item` and `writable` with `table`, `key` and `sha256` with `object`.",
    ),
    (
        "DR262",
        "a check that could never hold",
        "An address, a status, a key, a hash, a command or a time of a check is not one.",
    ),
    (
        "DR263",
        "a check of a copy that does not exist",
        "A cold table is in the standby region once a failover has restored it, which needs the keys that the primary's table had when it was last asked. Of this table nobody knows them.",
    ),
    (
        "DR270",
        "not a role's name",
        "`deny_writers` names IAM roles of the account, each once and without its path: up to 64 letters, digits and `_+=,.@-`.",
    ),
    (
        "DR271",
        "a fence that denies nothing, or nobody",
        "`deny_writers` goes with `buckets` or `tables`: the roles are denied to write these in the primary region while the standby region serves. docs/guide/fence.md shows it.",
    ),
    (
        "DR290",
        "two resources of one name",
        "Two components would make or change one and the same AWS object.",
    ),
];

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_sorted_and_distinct() {
        assert!(super::CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}

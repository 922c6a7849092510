//! Codes of the diagnostics that belong to no component; each component has its own.

/// Code, title and page of a diagnostic.
pub type Code = (&'static str, &'static str, &'static str);

/// A fact that no region has answered, which is no error of the stack.
pub const UNANSWERED: &str = "DR206";

/// Codes of the core.
pub const CODES: &[Code] = &[
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
    (
        "DR015",
        "not a region",
        "Regions are written as AWS names them: an area, a direction and a number, `us-west-2`.",
    ),
    ("DR016", "one region", "The standby region must be another one than the primary."),
    (
        "DR017",
        "not a public key",
        "`signing` names whose signature the stack's bundle must bear: the public key that `drstack keys new FILE` prints, `ed25519:` and 64 hexadecimal digits. The private key stays in its file.",
    ),
    (
        "DR018",
        "a region that drstack does not know",
        "The name has the shape of a region and is not in drstack's list: it is mistyped, or newer than this drstack. The second works: nothing else depends on the list.",
    ),
    (
        "DR019",
        "regions of two partitions",
        "Partitions (`aws`, `aws-cn`, `aws-us-gov` and so on) have separate accounts, and nothing is replicated from one to another.",
    ),
    (
        "DR020",
        "a rename that cannot be",
        "`[[moved]]` says what a component or module was called before: `from = \"bucket.old\"`, `to = \"bucket.new\"`, both as a plan names them. `to` must be in the stack, `from` must not, and both are of one kind. Most renames are recognized without it; it decides which of two like components became which, and a rename together with other changes.",
    ),
    (
        "DR021",
        "not a permissions boundary",
        "`permissions_boundary` names the managed policy that bounds the roles which the stack creates: its ARN, `arn:aws:iam::123456789012:policy/NAME`. drstack creates no role without it, and puts it on those that it created before.",
    ),
    (
        "DR022",
        "nothing that a sync may be allowed",
        "`allow` in `[sync]` lists what `drstack sync` may do by itself: `create` (what is missing, the copy of a new image for example) and `update` (what exists, in place); both, where it is left out. What needs a person is never allowed: a deletion, a replacement, and what was changed in the stack's files.",
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
        "DR205",
        "nothing asks what serves",
        "A failover is recovered once everything that serves was asked and answered; without a check it ends as `capacity`, exit 3, and its RTO is not met. A check with `http` or `command` asks its own component, the `probe` of traffic asks every pool that the traffic waits for. docs/guide/checks.md shows both.",
    ),
    (
        UNANSWERED,
        "a region has not answered what it has",
        "Part of the stack follows what a region has: a group, an image, a queue, a zone. The region did not answer in this run, and no earlier answer is kept. The stack may be right: the command ends with exit code 1, not with 65. Run it again.",
    ),
    ("DR214", "not a bucket name", "S3 bucket names have 3 to 63 lower-case letters, digits, `.` and `-`."),
    (
        "DR240",
        "launching takes longer than the RTO",
        "EC2 lets an account launch 1,000 instances at once in a region, and 2 a second after that. docs/guide/postures.md has the arithmetic; AWS raises the budget on request.",
    ),
    (
        "DR241",
        "the predicted failover misses an RTO",
        "`plan` and `apply` rehearse the failover and simulate its schedule: what waits for what, 64 steps at once, EC2's launch budget, and how long each step usually takes. The prediction is longer than the RTO of the stack, or a component with an `rto` of its own serves later than that. `drstack plan STACK --mode active` shows the steps, `drstack plan STACK --require-rto` ends with exit code 3.",
    ),
    (
        "DR257",
        "an `after` leaves out pools",
        "Without `after`, traffic moves in a failover once all restored tables, pools and checks of its tier and of the tiers before it are up. `after` names pools in place of that, `after = []` none. Here it leaves out pools for which no other traffic waits either: users may be sent to a region in which they do not serve yet.",
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

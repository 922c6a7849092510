//! Diagnostics of `[pool.NAME]`.

use drstack_core::diagnostic::codes::Code;

pub(super) const CODES: &[Code] = &[
    (
        "DR230",
        "the primary's group does not exist",
        "`follows` names an Auto Scaling group of the primary region.",
    ),
    (
        "DR231",
        "a pool lacks something",
        "What is not followed from the primary's group has to be stated: `capacity`, `instance_types`, `image`. So has the capacity of a group that counts vCPUs, memory or weights, which are no instances.",
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
        "The Auto Scaling group that a pool follows has a desired capacity of 0, or fell by more than half, or the stack says `capacity = 0`. The highest capacity of the last 7 days, or what a scheduled action sets, is what a failover starts; `capacity` in the stack goes before both. docs/guide/capacity.md has the rest.",
    ),
    (
        "DR239",
        "the followed instance profile is replaced",
        "A pool with `buckets` or `tables` gets a role of its own: it reads them, decrypts with the keys of the buckets' copies, and reads the stack's parameters if the stack has a fence. What else the instance profile of the followed group allows is lost. `instance_profile` names a profile to keep.",
    ),
    (
        "DR242",
        "user data names the primary",
        "User data is carried word for word. Where it names the primary region or what the primary has under another name, instances of the standby region call the region that is lost. Say `user_data` or `user_data_file` in the stack, with `${standby.region}` and the names of the standby's buckets and load balancers.",
    ),
    (
        "DR243",
        "a hot pool whose instances a failover exchanges",
        "Pools run spot instances in standby and on-demand ones after a failover, unless `purchase` says otherwise. A hot pool has its whole capacity already: traffic moves to it at once, and the instances are exchanged afterwards. Until then AWS may take them back, in a regional outage more than usual.",
    ),
];

//! Samples of images, templates and groups.

use drstack_kinds::facts::Disk;
use drstack_kinds::resources::{Group, Image, LaunchTemplate};
use drstack_kinds::services::autoscaling::group::behaviour::GroupBehaviour;
use drstack_kinds::services::autoscaling::group::carried_tags::{GroupTag, GroupTags};
use drstack_kinds::services::autoscaling::group::hooks::Hook;
use drstack_kinds::services::autoscaling::group::reserved::Reserved;
use drstack_kinds::services::autoscaling::group::sizes::Sizes;
use drstack_kinds::services::autoscaling::group::{Failover, GroupSpec, Step};
use drstack_kinds::services::ec2::image::ImageSpec;
use drstack_kinds::services::ec2::launch_options::LaunchOptions;
use drstack_kinds::services::ec2::launch_template::LaunchTemplateSpec;

use super::{GIVEN, STATE, Sample, Unseen, known, sample};

const KEPT: (&str, &str) = ("name", "it is kept under any address");
const GROUP: Unseen = &[KEPT, ("on_demand", STATE), ("spot", STATE), ("status", STATE)];
const LARGER: &str = "while instances are exchanged the group may be larger than it will be";
const ACTIVE: Unseen = &[KEPT, ("max", LARGER), ("on_demand", STATE), ("status", STATE)];
const MIXED: Unseen = &[KEPT, ("max", LARGER), ("status", STATE)];
const FAILOVER: Unseen = &[
    ("name", "made from the address, by which it is found: another address is another group"),
    ("failover.minimum", "how far it may go down, which only matters while it is waited for"),
];
const FLEET: Unseen = &[
    FAILOVER[0],
    FAILOVER[1],
    ("by_fleet", "who launches what is missing, and none of what is there by then"),
];
const SMALL: &str = "it is less than an instance that could go";
const OTHERS: Unseen = &[KEPT, ("max", LARGER), ("status", STATE), ("on_demand", SMALL), ("spot", SMALL)];
const UNUSED: &str = "other sizes are only for a lower rung";
const SIZED: Unseen = &[
    ("name", "made from the address, by which it is found: another address is another group"),
    ("sizes.others", UNUSED),
    ("sizes.others.*", UNUSED),
    ("sizes.units.g5.2xlarge", UNUSED),
    ("sizes.units.g5.large", UNUSED),
    ("failover.minimum", "how far it may go down, which only matters while it is waited for"),
];
const GROUP_NAME: Unseen =
    &[("name", "made from the address, by which it is found: another address is another group")];
const LOWER: &str = "on a lower rung it follows from what is to be had";
const LOWERED: Unseen = &[
    ("name", "made from the address, by which it is found: another address is another group"),
    ("on_demand_percentage", LOWER),
    ("failover.minimum", "how far it may go down, which only matters while it is waited for"),
    ("failover.rung", LOWER),
];
const COPY: &str = "made from the address and `source`, and `source` shows";
const IMAGE: Unseen = &[("name", COPY)];
const KEYED: Unseen = &[
    ("name", COPY),
    ("kms_key", "an image does not say under which key it is: a new key is for the next copy"),
];
const TEMPLATE: Unseen = &[("version", GIVEN)];

pub(super) fn samples() -> Vec<Sample> {
    launched().into_iter().chain(groups()).collect()
}

fn launched() -> Vec<Sample> {
    let image =
        ImageSpec { source: "ami-1".into(), name: "drstack-fleet-image-base-ami-1".into(), kms_key: None };
    let template = LaunchTemplateSpec {
        name: "drstack-fleet-pool".into(),
        image: known("ami-2"),
        instance_type: "g5.xlarge".into(),
        user_data_sha256: None,
        security_groups: Vec::new(),
        profile: None,
        disks: Vec::new(),
        options: LaunchOptions::default(),
    };
    let full = LaunchTemplateSpec {
        user_data_sha256: Some("00ff".into()),
        security_groups: vec![known("sg-2"), known("sg-1")],
        profile: Some(known("drstack-fleet-pool-instances")),
        disks: vec![Disk {
            device: "/dev/sda1".into(),
            gib: 100,
            kind: "gp3".into(),
            iops: Some(3000),
            throughput: None,
        }],
        options: LaunchOptions {
            hop_limit: Some(2),
            metadata_ipv6: true,
            metadata_tags: true,
            monitoring: true,
            ebs_optimized: true,
        },
        ..template.clone()
    };
    vec![
        sample::<Image>(&image, &[("state", STATE)], IMAGE),
        sample::<Image>(
            &ImageSpec { kms_key: Some("alias/own".into()), ..image },
            &[("state", STATE)],
            KEYED,
        ),
        sample::<LaunchTemplate>(&template, TEMPLATE, &[]),
        sample::<LaunchTemplate>(&full, TEMPLATE, &[]),
    ]
}

fn groups() -> Vec<Sample> {
    let group = GroupSpec {
        name: "drstack-fleet-pool".into(),
        template: known("lt-1"),
        template_version: known("3"),
        subnets: vec![known("subnet-2"), known("subnet-1")],
        types: vec!["g5.xlarge".into(), "g4dn.xlarge".into()],
        min: 2,
        max: 8,
        desired: 3,
        on_demand_percentage: 0,
        sizes: None,
        reserved: None,
        behaviour: Some(GroupBehaviour::default()),
        hooks: Some(Vec::new()),
        tags: GroupTags::new(),
        by_fleet: false,
        failover: None,
        sized_for: None,
    };
    let taken = Failover { minimum: 2, rung: Step::Whole, up_to: None };
    let active = GroupSpec { on_demand_percentage: 100, failover: Some(taken), ..group.clone() };
    let targets = vec!["cr-1".into(), "arn:aws:resource-groups:us-west-2:123456789012:group/gpus".into()];
    let fleet = GroupSpec { by_fleet: true, ..active.clone() };
    let reserved = GroupSpec { reserved: Some(Reserved::first(targets)), ..active.clone() };
    let sizes = Sizes {
        others: vec!["g5.2xlarge".into(), "g5.large".into()],
        units: [("g5.xlarge", 2), ("g4dn.xlarge", 2), ("g5.2xlarge", 4), ("g5.large", 1)]
            .map(|(of, units)| (of.to_owned(), units))
            .into(),
        in_use: false,
    };
    let sized = GroupSpec { sizes: Some(sizes), desired: 6, ..active.clone() };
    let others = Failover { rung: Step::Sizes, ..taken };
    let others = GroupSpec { failover: Some(others), ..sized.clone() };
    let mixed = Failover { rung: Step::Spot, ..taken };
    let mixed = GroupSpec { failover: Some(mixed), ..active.clone() };
    let behaves = GroupBehaviour {
        grace_period: Some(900),
        cooldown: Some(60),
        warmup: Some(120),
        max_lifetime: Some(604_800),
        termination_policies: vec!["OldestInstance".into()],
    };
    let hook = Hook {
        name: "load".into(),
        transition: "autoscaling:EC2_INSTANCE_LAUNCHING".into(),
        heartbeat: 900,
        default_result: "ABANDON".into(),
        metadata: Some("models".into()),
    };
    let tags = [("team".to_owned(), GroupTag { value: "ml".into(), at_launch: true })].into();
    let behaves = GroupSpec { behaviour: Some(behaves), hooks: Some(vec![hook]), tags, ..group.clone() };
    let empty = GroupSpec { min: 0, desired: 0, on_demand_percentage: 100, ..group.clone() };
    vec![
        sample::<Group>(&group, GROUP, GROUP_NAME),
        sample::<Group>(&empty, GROUP, GROUP_NAME),
        sample::<Group>(&behaves, GROUP, GROUP_NAME),
        sample::<Group>(&active, ACTIVE, FAILOVER),
        sample::<Group>(&fleet, ACTIVE, FLEET),
        sample::<Group>(&reserved, ACTIVE, FAILOVER),
        sample::<Group>(&mixed, MIXED, LOWERED),
        sample::<Group>(&sized, ACTIVE, SIZED),
        sample::<Group>(&others, OTHERS, &LOWERED[..3]),
    ]
}

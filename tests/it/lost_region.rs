//! Failovers and a failback against moto and fakecloud, with the primary region lost in each way
//! that a region is lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::drstack::{Drstack, Ran, drstack};
use crate::main_job::{apply, nothing_to_do, seed, stack};
use crate::servers::{Boto, PRIMARY, STANDBY, Server};

/// Latency of each call, so that waiting for a lost region would show.
pub(crate) const LATENCY: Duration = Duration::from_millis(10);

/// Tolerance for a busy machine. A failover with a lost primary takes as long as one with a live
/// primary, and the first attempt at one hanging call takes far longer than this.
const NOISE: Duration = Duration::from_secs(4);

/// Two pools, data, traffic and a fence.
pub(crate) fn whole_stack() -> String {
    format!(
        r#"{}
[pool.ranking]
follows = "rank"
network = "@network.standby"
tier    = 2

[traffic.api]
zone           = "example.com"
record         = "api"
adopt          = true
primary_target = "east.example.com"
standby_target = "west.example.com"
probe          = "https://api.example.com/healthz"
watch          = false

[fence.writers]
"#,
        stack("warm")
    )
}

pub(crate) fn seed_whole(boto: &Boto<'_>) {
    seed(boto);
    boto.seed(&json!([
        { "kind": "group", "name": "rank", "types": ["m5.large"], "capacity": 4 },
        { "kind": "zone", "name": "example.com", "records": [
            { "name": "api.example.com", "type": "CNAME", "ttl": 60, "values": ["east.example.com"] },
        ]},
    ]));
}

/// Returns a machine with the whole stack applied.
fn applied(server: &Server) -> Drstack {
    server.reset();
    server.find();
    seed_whole(&server.boto());
    let machine = server.drstack();
    machine.write("s/stack.toml", &whole_stack());
    apply(&machine);
    machine
}

pub(crate) fn failover(machine: &Drstack) -> Ran {
    machine.run(["failover", "s", "--auto-approve", "--json"])
}

/// Returns the report of a failover or a failback.
#[track_caller]
pub(crate) fn report(ran: &Ran) -> Value {
    let lines = ran.json();
    lines.iter().find(|line| line["type"] == "report").unwrap_or_else(|| panic!("no report\n{ran:?}")).clone()
}

/// Returns the calls to the primary region, and to services of the whole partition.
pub(crate) fn calls_elsewhere(server: &Server) -> BTreeMap<String, u64> {
    let mut calls = server.calls();
    calls
        .retain(|call, _| !call.starts_with(STANDBY) || call.contains("/iam/") || call.contains("/route53/"));
    calls
}

/// Asserts a call that `permissions.rs` cannot see on moto.
#[track_caller]
fn expect_called(server: &Server, operation: &str) {
    let name = format!("{STANDBY}/autoscaling/{operation}");
    assert!(server.calls().contains_key(&name), "{name} in {:?}", server.calls());
}

/// Returns a group of the standby region.
fn group(world: &Value, pool: &str) -> Value {
    world["groups"][format!("drstack-fleet-pool-{pool}")].clone()
}

/// Asserts full size, on-demand, from the version that the apply created.
#[track_caller]
pub(crate) fn expect_full(world: &Value, pool: &str, capacity: u64) {
    let group = group(world, pool);
    assert_eq!(group["sizes"]["desired"], capacity, "{group:#}");
    let distribution = &group["mixed"]["InstancesDistribution"];
    assert_eq!(distribution["OnDemandPercentageAboveBaseCapacity"], 100, "{group:#}");
    assert_eq!(group["mixed"]["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"], "1");
    let ids = group["instances"].as_array().expect("instances");
    let on_demand = ids.iter().filter(|id| {
        let instance = &world["instances"][id.as_str().expect("an id")];
        instance["state"] == "running" && instance["lifecycle"] == "on-demand"
    });
    assert_eq!(on_demand.count() as u64, capacity, "{group:#}\n{:#}", world["instances"]);
}

#[test]
fn a_dead_primary_is_not_asked_and_costs_no_time() {
    let Some(server) = Server::moto() else { return };
    let mut healthy = None;
    for how in ["", "hang", "reset", "503"] {
        let machine = applied(&server);
        // moto evaluates no alarms.
        let alarm = json!({ "region": STANDBY, "do": "alarm", "alarm": "drstack-fleet-traffic-api", "state": "ALARM" });
        server.boto().run("traffic", &alarm);
        server.find();
        server.slow(LATENCY);
        if !how.is_empty() {
            server.black_out(how);
        }
        let begin = Instant::now();
        let ran = failover(&machine).unasked();
        let took = begin.elapsed();
        println!("primary `{how}`: failed over in {took:?}");
        assert_eq!(calls_elsewhere(&server), BTreeMap::new(), "{how}");
        // Each group says that it is sized for a failover, beside the call that raises it.
        let tagging = format!("{STANDBY}/autoscaling/CreateOrUpdateTags");
        assert_eq!(server.calls().get(&tagging), Some(&2), "{:?}", server.calls());
        let healthy = *healthy.get_or_insert(took);
        assert!(took < healthy + NOISE, "{how}: {took:?}, and {healthy:?} with the primary alive\n{ran:?}");
        let report = report(&ran);
        assert_eq!((&report["complete"], &report["epoch"]), (&json!(true), &json!(1)), "{report:#}");
        assert_eq!(report["refused_calls"], json!([]));
        assert_eq!(report["in_service"], json!({ "before": 3, "fewest": 3, "after": 12 }), "{report:#}");

        let again = machine.run(["failover", "s", "--auto-approve"]).unasked();
        assert!(again.stdout.contains("serves already"), "{again:?}");
        server.slow(Duration::ZERO);
        server.find();
        let world = server.boto().world(STANDBY, &["groups", "instances"]);
        expect_full(&world, "inference", 8);
        expect_full(&world, "ranking", 4);
    }
}

/// Counts the running instances of a pool's group, on-demand and spot.
fn running(world: &Value, pool: &str) -> (usize, usize) {
    let group = group(world, pool);
    let ids = group["instances"].as_array().cloned().unwrap_or_default();
    let of = |lifecycle: &str| {
        let ours = ids.iter().filter(|id| {
            let instance = &world["instances"][id.as_str().unwrap_or_default()];
            instance["state"] == "running" && instance["lifecycle"] == lifecycle
        });
        ours.count()
    };
    (of("on-demand"), of("spot"))
}

#[test]
fn spot_instances_give_way_to_on_demand_ones_on_fakecloud() {
    let Some(server) = Server::fakecloud(&[]) else { return };
    seed(&server.boto());
    let machine = server.drstack();
    machine.write("s/stack.toml", &stack("warm"));
    apply(&machine);
    let before = server.boto().world(STANDBY, &["groups", "instances"]);
    assert_eq!(running(&before, "inference"), (0, 2), "{before:#}");
    server.find();
    server.black_out("hang");
    let ran = failover(&machine).unasked();
    assert_eq!(calls_elsewhere(&server), BTreeMap::new());
    expect_called(&server, "SetInstanceProtection");
    expect_called(&server, "TerminateInstanceInAutoScalingGroup");
    server.find();
    let report = report(&ran);
    assert_eq!(report["in_service"], json!({ "before": 2, "fewest": 2, "after": 8 }), "{report:#}");
    let world = server.boto().world(STANDBY, &["groups", "instances"]);
    assert_eq!(running(&world, "inference"), (8, 0), "{ran:?}\n{world:#}");
    expect_full(&world, "inference", 8);
    nothing_to_do(&machine);
}

/// The same stack, with GPU instances if the test seeds such a group.
pub(crate) use crate::reservations::one_pool as gpus;

/// Quota of vCPUs for on-demand G instances in a region: 0 at first, and only ever raised.
pub(crate) const GPUS: &str = "L-DB2E81BA";
/// Quota of vCPUs for on-demand standard instances: 5 at first. The same number may run on spot.
pub(crate) const STANDARD: &str = "L-1216C47A";

pub(crate) fn allow(server: &Server, region: &str, quota: &str, vcpus: u32) {
    let quota = json!({ "region": region, "service": "ec2", "code": quota, "value": vcpus });
    server.boto().run("quota", &quota);
}

/// The group accepts the request and launches four of ten: only running instances count.
#[test]
fn what_a_quota_denies_is_taken_from_spot_until_it_is_raised() {
    let Some(server) = Server::fakecloud(&["--enforce-quotas"]) else { return };
    allow(&server, PRIMARY, GPUS, 200);
    server.boto().seed(
        &json!([{ "kind": "group", "name": "serve", "types": ["g5.xlarge", "g4dn.xlarge"], "capacity": 10 }]),
    );
    let machine = server.drstack();
    machine.write("s/stack.toml", &gpus(""));
    apply(&machine);
    allow(&server, STANDBY, GPUS, 16);
    server.find();
    server.black_out("hang");
    let ran = failover(&machine).unasked();
    expect_called(&server, "DescribeScalingActivities");
    server.find();
    let report = report(&ran);
    assert_eq!(report["complete"], true, "{report:#}");
    assert!(report["degraded"].to_string().contains("spot for what on-demand lacks"), "{report:#}");
    let world = server.boto().world(STANDBY, &["groups", "instances"]);
    assert_eq!(running(&world, "inference"), (4, 6), "{ran:?}\n{world:#}");
    allow(&server, STANDBY, GPUS, 200);
    failover(&machine).unasked();
    let world = server.boto().world(STANDBY, &["groups", "instances"]);
    assert_eq!(running(&world, "inference"), (10, 0), "{world:#}");
}

/// On-demand and spot are exhausted: two instances of each are all there is.
#[test]
fn where_the_region_has_too_little_the_minimum_decides() {
    let Some(server) = Server::fakecloud(&["--enforce-quotas"]) else { return };
    allow(&server, PRIMARY, STANDARD, 200);
    server.boto().seed(
        &json!([{ "kind": "group", "name": "serve", "types": ["m5.large", "c5.large"], "capacity": 8 }]),
    );
    let machine = server.drstack();
    machine.write("s/stack.toml", &gpus("minimum = \"60%\""));
    apply(&machine);
    // Known beforehand, with what asks for more: 5 vCPUs are two instances.
    let status = machine.run(["status", "s"]).code(3);
    let said = "a failover adds 8 on-demand instances, and the quotas of the account leave room for 2";
    assert!(status.stdout.contains(said), "{status:?}");
    let raise = format!("--quota-code {STANDARD} --desired-value 16 --region {STANDBY}");
    assert!(status.stdout.contains(&raise), "{status:?}");
    server.find();
    server.black_out("hang");
    let ran = failover(&machine).code(1);
    let failed = report(&ran);
    assert_eq!(failed["complete"], false, "{failed:#}");
    let said = failed["failed"].to_string();
    assert!(said.contains("4 of 8 instances in service") && said.contains("exceeded"), "{said}");

    // The command of the hint, while nothing has changed.
    let accepting = ["failover", "s", "--minimum", "50%"];
    assert!(ran.stderr.contains(&format!("run `drstack {}`", accepting.join(" "))), "{ran:?}");
    let on = machine.run([&accepting[..], &["--auto-approve", "--json"]].concat()).unasked();
    let accepted = report(&on);
    assert_eq!((&accepted["complete"], &accepted["verdict"]), (&json!(true), &json!("capacity")));
    assert!(accepted["degraded"].to_string().contains("at least 4 of 8 instances"), "{accepted:#}");
    assert_eq!(accepted["in_service"]["after"], 4, "{accepted:#}");
    let again = report(&failover(&machine).unasked());
    assert!(again["degraded"].to_string().contains("at least 4 of 8 instances"), "{again:#}");

    server.find();
    allow(&server, STANDBY, STANDARD, 200);
    server.black_out("hang");
    failover(&machine).unasked();
    server.find();
    let world = server.boto().world(STANDBY, &["groups", "instances"]);
    assert_eq!(running(&world, "inference"), (8, 0), "{world:#}");
}

/// With the same region and a minimum of half the instances the pool is up: drstack reports the
/// shortfall, and a later run launches the rest.
#[test]
fn fewer_instances_than_asked_are_up_and_degraded_above_the_minimum() {
    let Some(server) = Server::fakecloud(&["--enforce-quotas"]) else { return };
    allow(&server, PRIMARY, STANDARD, 200);
    server.boto().seed(
        &json!([{ "kind": "group", "name": "serve", "types": ["m5.large", "c5.large"], "capacity": 8 }]),
    );
    let machine = server.drstack();
    machine.write("s/stack.toml", &gpus("minimum = \"50%\""));
    apply(&machine);
    server.find();
    server.black_out("hang");
    let ran = failover(&machine).unasked();
    let degraded = report(&ran);
    assert_eq!(degraded["complete"], true, "{degraded:#}");
    assert!(degraded["degraded"].to_string().contains("at least 4 of 8 instances"), "{degraded:#}");
    assert_eq!(degraded["in_service"]["after"], 4, "{degraded:#}");

    server.find();
    allow(&server, STANDBY, STANDARD, 200);
    server.black_out("hang");
    let ran = failover(&machine).unasked();
    assert_eq!(report(&ran)["degraded"], json!([]), "{ran:?}");
    server.find();
    let world = server.boto().world(STANDBY, &["groups", "instances"]);
    assert_eq!(running(&world, "inference"), (8, 0), "{world:#}");
}

/// Two pools and their network: a failover without an alarm.
pub(crate) fn pools(more: &str) -> String {
    gpus(&format!("[pool.ranking]\nfollows = \"rank\"\nnetwork = \"@network.standby\"\ntier = 2\n{more}"))
}

/// Returns a machine with two pools in standby.
pub(crate) fn with_pools(server: &Server, more: &str) -> Drstack {
    server.reset();
    server.find();
    server.slow(Duration::ZERO);
    server.boto().seed(&json!([
        { "kind": "group", "name": "serve", "types": ["m5.large", "c5.large"], "capacity": 8 },
        { "kind": "group", "name": "rank", "types": ["m5.large"], "capacity": 4 },
    ]));
    let machine = server.drstack();
    machine.write("s/stack.toml", &pools(more));
    apply(&machine);
    server.find();
    machine
}

#[test]
fn failing_back_restores_what_stood_and_waits_for_the_primary() {
    let Some(server) = Server::moto() else { return };
    let machine = with_pools(&server, "");
    let sizes = |world: &Value| {
        let groups = world["groups"].as_object().expect("groups").iter();
        let tags = |it: &Value| {
            let all = it["tags"].as_object().expect("tags").iter();
            // They say what the group was last sized for.
            let kept = all.filter(|(key, _)| !["drstack:mode", "drstack:spec"].contains(&key.as_str()));
            kept.map(|(key, value)| (key.clone(), value.clone())).collect::<BTreeMap<_, _>>()
        };
        let of = |it: &Value| json!([it["sizes"], it["mixed"], tags(it)]);
        groups.map(|(name, it)| (name.clone(), of(it))).collect::<BTreeMap<_, _>>()
    };
    let before = server.boto().world(STANDBY, &["groups", "launch_templates"]);
    failover(&machine).unasked();
    let active = server.boto().world(STANDBY, &["groups", "launch_templates"]);
    for how in ["hang", "reset", "503"] {
        server.black_out(how);
        let ran = machine.run(["failback", "s", "--auto-approve"]).code(3);
        assert!(ran.stderr.contains("does not answer yet"), "{ran:?}");
        server.find();
        assert_eq!(server.boto().world(STANDBY, &["groups", "launch_templates"]), active, "{how}");
    }
    let ran = machine.run(["failback", "s", "--auto-approve", "--json"]).ok();
    assert_eq!(report(&ran)["complete"], true, "{ran:?}");
    let after = server.boto().world(STANDBY, &["groups", "launch_templates"]);
    assert_eq!(sizes(&after), sizes(&before));
    assert_eq!(after["launch_templates"], before["launch_templates"]);
    nothing_to_do(&machine);
}

#[test]
fn a_rehearsal_changes_nothing_and_a_part_leaves_the_rest() {
    let Some(server) = Server::moto() else { return };
    let machine = with_pools(&server, "rto = \"30m\"\n[[pool.ranking.check]]\ncommand = [\"true\"]\n");
    let before = server.boto().world(STANDBY, &[]);
    server.find();
    let ran = machine.run(["failover", "s", "--dry-run"]).ok();
    let calls = server.calls();
    let reads = ["Describe", "List", "Get", "GET ", "HEAD "];
    let writes: Vec<&String> = calls
        .keys()
        .filter(|call| {
            call.rsplit('/').next().is_some_and(|it| !reads.iter().any(|read| it.starts_with(read)))
        })
        .collect();
    assert!(writes.is_empty(), "{writes:?}\n{ran:?}");
    assert_eq!(server.boto().world(STANDBY, &[]), before);

    // Noticed long ago: the RTO is missed, and the failover completes all the same.
    let long_ago = ["--detected-at", "2020-01-01T00:00:00Z", "--only", "pool.ranking"];
    let ran = machine.run(["failover", "s", "--auto-approve", "--json"].iter().chain(&long_ago)).code(3);
    assert_eq!(report(&ran)["complete"], true, "{ran:?}");
    let text = report(&ran)["recovery_seconds"].to_string();
    assert!(report(&ran)["recovery_seconds"].as_f64().is_some_and(|it| it > 1800.0), "{text}");
    let world = server.boto().world(STANDBY, &[]);
    expect_full(&world, "ranking", 4);
    let name = "drstack-fleet-pool-inference";
    assert_eq!(world["groups"][name], before["groups"][name]);
    for section in ["vpcs", "route_tables", "security_groups", "launch_templates", "images"] {
        assert_eq!(world[section], before[section], "{section}");
    }
}

/// The environment still names the lost region, and nothing names the region of the control bucket.
#[test]
fn where_a_bundle_lies_is_told_and_never_asked_of_a_region_that_may_be_lost() {
    let Some(server) = Server::moto() else { return };
    applied(&server);
    server.find();
    server.black_out("hang");
    let other = drstack().at(server.endpoint(), PRIMARY);
    let failover = ["failover", "--bundle", "s3://acme-control/fleet", "--dry-run"];
    let ran = other.run(failover).code(64);
    assert!(ran.stderr.contains("--region us-west-2"), "{ran:?}");
    assert_eq!(server.calls(), BTreeMap::new());
    let ran = other.run([&failover[..], &["--region", STANDBY]].concat()).ok();
    assert!(ran.stdout.contains("pool.inference/group in us-west-2: autoscaling:"), "{ran:?}");
    assert_eq!(calls_elsewhere(&server), BTreeMap::new());
}

/// Somebody deleted a copy before the region was lost: the failover asks S3 and DynamoDB of the standby region, and
/// nobody else.
#[test]
fn a_copy_that_is_gone_is_seen_without_the_primary() {
    let Some(server) = Server::moto() else { return };
    let machine = applied(&server);
    server.boto().drift(STANDBY, "bucket-delete", "acme-models-us-west-2", json!({}));
    server.find();
    server.black_out("hang");
    let lost = failover(&machine).code(1);
    assert_eq!(calls_elsewhere(&server), BTreeMap::new());
    let report = report(&lost);
    let blocked = report["blocked"].as_array().expect("what is blocked");
    let is_said = |it: &Value| {
        it.as_str()
            .is_some_and(|it| it.starts_with("bucket.models/bucket: a failover would have to create it"))
    };
    assert!(blocked.iter().any(is_said), "{report:#}");
    assert_eq!(report["not_looked_at"], json!([]), "the table was looked at");
    assert_eq!(report["in_service"]["after"], 12, "{report:#}");
}

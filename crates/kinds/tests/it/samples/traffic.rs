//! Samples of DNS names and of what decides where they lead.

use drstack_kinds::resources::{Alarm, DnsRecord, DnsWeights, HealthCheck, TrafficSwitch};
use drstack_kinds::services::cloudwatch::alarm::AlarmSpec;
use drstack_kinds::services::cloudwatch::traffic_switch::TrafficSwitchSpec;
use drstack_kinds::services::route53::dns_record::DnsRecordSpec;
use drstack_kinds::services::route53::dns_weights::{DnsWeightsSpec, Gate};
use drstack_kinds::services::route53::health_check::HealthCheckSpec;

use super::{NAMED, Sample, Unseen, known, sample};

const ALARM: Unseen = &[("name", NAMED)];
const PAIR: Unseen = &[
    ("zone", NAMED),
    ("record", NAMED),
    ("mark", "made from the address, by which it is ours: another address is another pair"),
    ("adopt", "whether a record of others may go, which is asked while making it"),
];
const SWITCH: Unseen = &[("alarm", NAMED)];
const WEIGHTS: Unseen = &[
    ("steps", "shares on the way, which nothing shows once they are passed"),
    ("steps.*", "shares on the way, which nothing shows once they are passed"),
    ("gate.url", "what has to hold on the way"),
    ("gate.host", "what has to hold on the way"),
    ("gate.check", "what has to hold on the way"),
    ("gate.seconds", "what has to hold on the way"),
];
const BY_WEIGHT: Unseen = &[
    ("zone", NAMED),
    ("record", NAMED),
    ("mark", "made from the address, by which it is ours: another address is another pair"),
    ("adopt", "whether a record of others may go, which is asked while making it"),
    ("weighted", "the share it is made with: from then on another kind has it"),
];

pub(super) fn samples() -> Vec<Sample> {
    let pair = DnsRecordSpec {
        zone: "Z0123".into(),
        record: "api.example.com".into(),
        mark: "drstack-fleet-traffic.api".into(),
        primary: "east.example.com".into(),
        secondary: "west.example.com".into(),
        check: known("check-3"),
        adopt: false,
        weighted: None,
        aliases: None,
    };
    let by_alias = DnsRecordSpec { aliases: Some(("Z1EAST", "Z1WEST").into()), ..pair.clone() };
    let by_weight = DnsRecordSpec { weighted: Some(90), ..pair.clone() };
    let weights = |steps: &[u32], gate| DnsWeightsSpec {
        pair: known("Z0123/api.example.com"),
        share: 90,
        steps: steps.to_vec(),
        gate,
    };
    let gate = Gate {
        url: "https://api.example.com/healthz".into(),
        host: "east.example.com".into(),
        check: Some(known("check-1")),
        seconds: 60,
        back: 0,
    };
    let switch = |active| TrafficSwitchSpec { alarm: "drstack-fleet-traffic-api".into(), active };
    vec![
        sample::<Alarm>(
            &AlarmSpec {
                name: "drstack-fleet-traffic-api".into(),
                stack: "fleet".into(),
                traffic: "traffic-api".into(),
            },
            &[],
            ALARM,
        ),
        sample::<HealthCheck>(
            &HealthCheckSpec::Endpoint {
                host: "east.example.com".into(),
                port: 443,
                path: "/healthz".into(),
            },
            &[],
            &[],
        ),
        sample::<HealthCheck>(
            &HealthCheckSpec::Alarm { alarm: known("drstack-fleet-traffic-api"), region: "us-west-2".into() },
            &[],
            &[],
        ),
        sample::<HealthCheck>(
            &HealthCheckSpec::All {
                checks: vec![known("check-2"), known("check-1")],
                record: "Z0123/api.example.com".into(),
            },
            &[],
            &[],
        ),
        sample::<DnsRecord>(&pair, &[], PAIR),
        sample::<DnsRecord>(&by_alias, &[], PAIR),
        sample::<DnsRecord>(&by_weight, &[], BY_WEIGHT),
        sample::<DnsWeights>(&weights(&[], None), &[], &[]),
        sample::<DnsWeights>(&weights(&[5], Some(gate)), &[], WEIGHTS),
        sample::<TrafficSwitch>(&switch(false), &[], SWITCH),
        sample::<TrafficSwitch>(&switch(true), &[], SWITCH),
    ]
}

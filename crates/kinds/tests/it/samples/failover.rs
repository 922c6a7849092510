//! Samples of checks and parameters.

use drstack_kinds::resources::{Check, Parameter};
use drstack_kinds::services::checks::check::{CheckSpec, KeyValue, Probe};
use drstack_kinds::services::ssm::parameter::ParameterSpec;

use super::{NAMED, Sample, Unseen, sample};

pub(super) fn samples() -> Vec<Sample> {
    const PARAMETER: Unseen = &[("name", NAMED)];
    let check = |probe| sample::<Check>(&CheckSpec { probe, timeout: 10 }, &[], &[]);
    let http =
        |contains| Probe::Http { url: "https://api.example.com/healthz".into(), status: 200, contains };
    let table = |item: &[(&str, KeyValue)]| Probe::Table {
        name: "features".into(),
        item: item.iter().map(|(name, it)| ((*name).to_owned(), it.clone())).collect(),
        writable: !item.is_empty(),
    };
    let object = Probe::Object {
        bucket: "acme-models-us-west-2".into(),
        key: "prod/model.bin".into(),
        sha256: "00ff".into(),
    };
    let region =
        ParameterSpec { name: "/drstack/fleet/active-region".into(), value: "us-east-1".into(), along: None };
    vec![
        check(http(None)),
        check(http(Some("ok".into()))),
        check(Probe::Answer {
            url: "https://api.example.com/healthz".into(),
            host: "west.example.com".into(),
        }),
        check(table(&[])),
        check(table(&[("id", KeyValue::Text("canary".into())), ("at", KeyValue::Number(7))])),
        check(object),
        check(Probe::Command(vec!["curl".into(), "--fail".into()])),
        sample::<Parameter>(&region, &[], PARAMETER),
    ]
}

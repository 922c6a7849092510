//! A cloud that is restricted to the standby region: no call leaves the region, and refused ones
//! are counted.

use drstack_core::calls::Calls;
use drstack_core::cloud::{Call, Cloud, CloudError};
use drstack_core::control::Condition;
use drstack_core::facts::FactQuery;
use drstack_core::kind::Place;
use drstack_sim::Sim;
use serde_json::json;

use crate::toys::*;

fn is_forbidden<T>(answer: Result<T, CloudError>, at: &str) -> bool {
    matches!(answer, Err(CloudError::Forbidden { region, .. }) if region == at)
}

#[test]
fn nothing_leaves_the_standby_region() {
    run(async {
        let sim = Sim::in_memory(config(""), kinds(), &scope("fleet"), seeds("web", 4)).unwrap();
        let (scope, ids) = (scope("fleet"), ["web".to_owned()]);
        assert!(sim.read("group", &scope, Place::Primary, &ids).await[0].is_ok());
        sim.restrict_to_standby();
        let before = sim.calls().len();
        let read = sim.read("group", &scope, Place::Primary, &ids).await;
        assert!(read.into_iter().all(|answer| is_forbidden(answer, "us-east-1")));
        let global = Call { place: Place::Global, ..call("group", "role") };
        assert!(is_forbidden(sim.create("group", &global, &group("n", 1)).await, "global"));
        assert!(is_forbidden(sim.list_owned("group", &scope, Place::Global, &[]).await, "global"));
        assert!(is_forbidden(sim.capture(&scope, &FactQuery::primary("group", "web")).await, "us-east-1"));
        let bucket = create(&sim, "setting", "name", &json!({})).await;
        assert!(is_forbidden(bucket, "us-west-2"), "it declares an operation of a global control plane");
        assert_eq!(sim.calls().len(), before, "none of it was sent");
        let refused: Vec<String> =
            sim.refused().iter().map(|it| format!("{}:{} {}", it.service, it.operation, it.region)).collect();
        assert_eq!(
            refused,
            [
                "group:read us-east-1",
                "group:create global",
                "group:list global",
                "group:capture us-east-1",
                "setting:create us-west-2",
            ]
        );
    });
}

#[test]
fn the_standby_region_goes_on_as_before() {
    run(async {
        let sim = sim("");
        sim.restrict_to_standby();
        create(&sim, "group", "web", &group("n", 1)).await.unwrap();
        delete(&sim, "group", "web", "web").await.unwrap();
        let store = sim.control(&scope("fleet"), "control");
        store.ensure().await.unwrap();
        store.put("mode.json", b"{}".to_vec(), Condition::Absent).await.unwrap();
        assert_eq!(sim.refused(), []);
    });
}

#[test]
fn the_call_log_has_each_attempt_with_its_time_and_its_end() {
    run(async {
        let sim = sim(
            "latency = '40ms'\njitter = '0s'\n[[faults]]\nkind = 'group'\noperation = 'create'\nerror = 'throttled'\nat = 1",
        );
        create(&sim, "group", "web", &group("n", 1)).await.unwrap();
        sim.lose("us-west-2");
        assert!(read(&sim, "group", &["web"]).await[0].is_err());
        let notes: Vec<(String, u32, u16, Option<String>)> = Calls::calls(&sim)
            .into_iter()
            .map(|it| (it.operation, it.attempt, it.status, it.error))
            .collect();
        let note = |operation: &str, attempt, status, error: Option<&str>| {
            (operation.to_owned(), attempt, status, error.map(str::to_owned))
        };
        assert_eq!(
            notes,
            [
                note("create", 1, 400, Some("throttled")),
                note("create", 2, 200, None),
                note("read", 1, 0, Some("timeout")),
            ]
        );
        let millis: Vec<u64> = Calls::calls(&sim).iter().map(|it| it.millis).collect();
        assert_eq!(millis[..2], [40, 40]);
        assert!(millis[2] > 1000, "{millis:?}");
    });
}

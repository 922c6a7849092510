//! The driver contract: tokens, ownership, order of deletion, conditional writes, time.

use drstack_core::address::Address;
use drstack_core::cloud::{Cloud, CloudError, Found, Owner};
use drstack_core::control::{Condition, StoreError};
use drstack_core::facts::FactQuery;
use drstack_core::kind::Place;
use drstack_core::link::{KNOWN_LATER, Link};
use drstack_sim::{Operation, Sim};
use serde_json::json;

use crate::toys::*;

#[test]
fn an_hour_of_work_passes_in_the_world_and_nowhere_else() {
    let begun = std::time::Instant::now();
    run(async {
        let sim = sim("jitter = '0s'");
        assert_eq!(sim.now().to_string(), "2026-01-01T00:00:00Z");
        create(&sim, "net", "a", &net("10.0.0.0/16")).await.unwrap();
        assert_eq!(sim.now().to_string(), "2026-01-01T01:00:00.04Z");
    });
    assert!(begun.elapsed() < std::time::Duration::from_secs(60));
}

#[test]
fn the_same_token_makes_one_resource() {
    run(async {
        let sim = sim("");
        let spec = net("10.0.0.0/16");
        let (first, second) = tokio::join!(create(&sim, "net", "a", &spec), create(&sim, "net", "a", &spec));
        assert_eq!(first.unwrap(), second.unwrap());
        create(&sim, "net", "b", &spec).await.unwrap();
        let owned = sim.list_owned("net", &scope("fleet"), Place::Standby, &[]).await.unwrap();
        assert_eq!(owned.len(), 2);
        let creates = sim.calls().iter().filter(|call| call.operation == Operation::Create).count();
        assert_eq!(creates, 3);
    });
}

#[test]
fn ids_depend_on_seed_and_token_and_not_on_the_order_of_calls() {
    let ids = |config: &str, names: [&'static str; 2]| {
        run(async {
            let sim = sim(config);
            for name in names {
                create(&sim, "net", name, &net("10.0.0.0/16")).await.unwrap();
            }
            sim.inventory()
        })
    };
    assert_eq!(ids("", ["a", "b"]), ids("", ["b", "a"]));
    assert_ne!(ids("", ["a", "b"]), ids("seed = 2", ["a", "b"]));
}

#[test]
fn a_bucket_of_another_account_is_refused_by_name_whoever_the_tags_say_it_is() {
    run(async {
        let sim = sim("account = '111122223333'");
        let ours = Owner::Ours(Address::parse("toy.api/group").unwrap());
        let live = json!({"net": "n", "size": 1, "colour": ""});
        for id in ["api", "api/rule"] {
            let found = Found { id: id.to_owned(), owner: ours.clone(), live: live.clone() };
            sim.put("group", &scope("fleet"), Place::Standby, &found).unwrap();
        }
        sim.give("api", "444455556666").unwrap();
        sim.give("own", "111122223333").unwrap();
        let before = sim.inventory();
        let said = "bucket `api` may belong to another account than 111122223333";
        let refused = |error: CloudError| {
            assert!(matches!(&error, CloudError::Denied { message, .. } if message == said), "{error}");
        };
        for id in ["api", "api/rule"] {
            refused(read(&sim, "group", &[id]).await.swap_remove(0).unwrap_err());
            let (call, spec) = (call("group", id), group("n", 2));
            refused(sim.create("group", &call, &spec).await.unwrap_err());
            refused(sim.update("group", &call, id, &spec, &[]).await.unwrap_err());
            refused(sim.delete("group", &call, id).await.unwrap_err());
        }
        assert_eq!(sim.list_owned("group", &scope("fleet"), Place::Standby, &[]).await.unwrap(), []);
        refused(sim.capture(&scope("fleet"), &FactQuery::primary("bucket", "api")).await.unwrap_err());
        let Err(StoreError::Cloud(error)) = sim.control(&scope("fleet"), "api").ensure().await else {
            panic!("the control bucket of another account was taken");
        };
        refused(error);
        assert_eq!(sim.inventory(), before);
        assert_eq!(read(&sim, "group", &["own"]).await, [Ok(None)]);
        let account = sim.capture(&scope("fleet"), &FactQuery::account()).await.unwrap().unwrap();
        assert_eq!(account.value, json!("111122223333"));
        // Without an expected owner, a call believes the tags of the bucket. Therefore every call
        // names one.
        sim.trust_names();
        assert_eq!(read(&sim, "group", &["api"]).await.swap_remove(0).unwrap().unwrap().owner, ours);
    });
}

#[test]
fn what_is_not_ours_is_left_alone() {
    run(async {
        let sim = sim("");
        let theirs = Found {
            id: "web".to_owned(),
            owner: Owner::Foreign,
            live: json!({"net": "n", "size": 1, "colour": ""}),
        };
        sim.put("group", &scope("fleet"), Place::Standby, &theirs).unwrap();
        let other = Owner::Ours(Address::parse("toy.api/group").unwrap());
        let others = Found { id: "api".to_owned(), owner: other, ..theirs.clone() };
        sim.put("group", &scope("other"), Place::Standby, &others).unwrap();
        let before = sim.inventory();
        for name in ["web", "api"] {
            let call = call("group", name);
            let spec = group("n", 2);
            let created = sim.create("group", &call, &spec).await;
            assert!(matches!(created, Err(CloudError::Conflict { .. })), "{created:?}");
            assert!(matches!(
                sim.update("group", &call, name, &spec, &[]).await,
                Err(CloudError::Conflict { .. })
            ));
            assert!(matches!(sim.delete("group", &call, name).await, Err(CloudError::Conflict { .. })));
        }
        assert_eq!(sim.inventory(), before);
        let owners: Vec<Owner> = read(&sim, "group", &["web", "api", "none"])
            .await
            .into_iter()
            .filter_map(|answer| answer.unwrap().map(|found| found.owner))
            .collect();
        assert_eq!(owners, [Owner::Foreign, Owner::Stack("other".to_owned())]);
        assert_eq!(sim.list_owned("group", &scope("fleet"), Place::Standby, &[]).await.unwrap(), []);
    });
}

#[test]
fn what_is_still_used_cannot_be_deleted_and_settings_go_with_what_they_stand_on() {
    run(async {
        let sim = sim("");
        let made = create(&sim, "net", "a", &net("10.0.0.0/16")).await.unwrap();
        create(&sim, "group", "web", &group(&made.id, 1)).await.unwrap();
        create(&sim, "setting", "web-pitr", &json!({"group": "web", "value": "on"})).await.unwrap();
        assert_eq!(sim.list_owned("setting", &scope("fleet"), Place::Standby, &[]).await.unwrap(), []);
        let stays = delete(&sim, "setting", "web-pitr", "web-pitr").await.unwrap_err();
        assert!(stays.to_string().contains("cannot be removed"), "{stays}");
        let refused = delete(&sim, "net", "a", &made.id).await.unwrap_err();
        assert!(refused.to_string().contains("still used by group web"), "{refused}");
        delete(&sim, "group", "web", "web").await.unwrap();
        delete(&sim, "net", "a", &made.id).await.unwrap();
        delete(&sim, "net", "a", &made.id).await.unwrap();
        assert!(sim.inventory().is_empty());
    });
}

#[test]
fn of_several_resources_with_one_name_the_wrong_one_is_not_accused() {
    run(async {
        let sim = sim("");
        // A group `n` that a group `web` could mean, if there were no network of that name.
        create(&sim, "group", "n", &group("far", 1)).await.unwrap();
        create(&sim, "group", "web", &group("n", 1)).await.unwrap();
        let owner = Owner::Ours(call("net", "n").address);
        let net = Found { id: "n".to_owned(), owner, live: json!({"id": "n", "cidr": "10.0.0.0/16"}) };
        sim.put("net", &scope("fleet"), Place::Standby, &net).unwrap();
        delete(&sim, "group", "n", "n").await.unwrap();
        // Now the link can only mean the network.
        assert!(delete(&sim, "net", "n", "n").await.is_err());
    });
}

#[test]
fn a_token_that_comes_back_with_another_wish_is_refused() {
    run(async {
        let sim = sim("");
        create(&sim, "net", "a", &net("10.0.0.0/16")).await.unwrap();
        let mismatch = create(&sim, "net", "a", &net("10.1.0.0/16")).await.unwrap_err();
        assert!(mismatch.to_string().contains("IdempotentParameterMismatch"), "{mismatch}");
    });
}

#[test]
fn an_update_changes_what_can_be_changed() {
    run(async {
        let sim = sim("");
        create(&sim, "group", "web", &group("n", 1)).await.unwrap();
        let call = call("group", "web");
        sim.update("group", &call, "web", &group("n", 5), &[]).await.unwrap();
        assert_eq!(
            read(&sim, "group", &["web"]).await[0].as_ref().unwrap().as_ref().unwrap().live["size"],
            5
        );
        let red = json!({"net": "n", "size": 5, "colour": "red"});
        let refused = sim.update("group", &call, "web", &red, &[]).await.unwrap_err();
        assert!(matches!(&refused, CloudError::Invalid { code, .. } if code == "Immutable"), "{refused:?}");
    });
}

#[test]
fn a_link_that_nobody_resolved_is_refused() {
    run(async {
        let sim = sim("");
        let open = json!({"net": Link::id(&Address::parse("toy.a/net").unwrap()), "size": 1});
        for spec in [open, group(KNOWN_LATER, 1)] {
            let refused = create(&sim, "group", "web", &spec).await.unwrap_err();
            assert!(
                matches!(&refused, CloudError::Invalid { code, .. } if code == "OpenLink"),
                "{refused:?}"
            );
        }
        let shapeless = create(&sim, "group", "web", &json!({"size": "many"})).await.unwrap_err();
        assert!(matches!(shapeless, CloudError::Invalid { .. }), "{shapeless:?}");
    });
}

#[test]
fn facts_are_answered_as_seeded_until_somebody_changes_them() {
    run(async {
        let sim = Sim::in_memory(config(""), kinds(), &scope("fleet"), seeds("web", 40)).unwrap();
        let query = FactQuery::primary("group", "web");
        let captured = sim.capture(&scope("fleet"), &query).await.unwrap().unwrap();
        assert_eq!(captured.value, json!({"capacity": 40}));
        sim.set_fact(&query, None).unwrap();
        assert!(sim.capture(&scope("fleet"), &query).await.unwrap().is_none());
    });
}

#[test]
fn of_many_writers_one_wins() {
    run(async {
        let sim = sim("");
        let control = sim.control(&scope("fleet"), "acme");
        let missing = control.get("lock").await.unwrap_err();
        assert!(matches!(missing, StoreError::NoBucket { .. }), "{missing}");
        control.ensure().await.unwrap();
        control.ensure().await.unwrap();
        let race = |body: &'static str, condition: Condition| control.put("lock", body.into(), condition);
        let (a, b, c) = tokio::join!(
            race("a", Condition::Absent),
            race("b", Condition::Absent),
            race("c", Condition::Absent)
        );
        let won: Vec<String> = [a, b, c].into_iter().filter_map(Result::ok).collect();
        assert_eq!(won.len(), 1);
        let (body, version) = control.get("lock").await.unwrap().unwrap();
        assert_eq!(version, won[0]);
        let (d, e) = tokio::join!(
            race("d", Condition::Matches(version.clone())),
            race("e", Condition::Matches(version))
        );
        assert!(d.is_ok() != e.is_ok(), "{d:?} {e:?}");
        assert_ne!(control.get("lock").await.unwrap().unwrap().0, body);
        let absent = control.put("other", Vec::new(), Condition::Matches("x".to_owned())).await;
        assert!(matches!(absent, Err(StoreError::Refused { .. })), "{absent:?}");
        control.put("journal/1", vec![0xff, 0], Condition::Always).await.unwrap();
        assert_eq!(control.get("journal/1").await.unwrap().unwrap().0, [0xff, 0]);
        assert_eq!(control.list("journal/").await.unwrap(), ["journal/1"]);
        control.delete("lock").await.unwrap();
        control.delete("lock").await.unwrap();
        assert_eq!(control.get("lock").await.unwrap(), None);
        control.destroy().await.unwrap();
        assert!(matches!(control.list("").await, Err(StoreError::NoBucket { .. })));
    });
}

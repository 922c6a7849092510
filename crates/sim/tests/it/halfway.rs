//! Creations of several calls: what exists between two of them, and which run finishes it.

use drstack_core::cloud::{Cloud, CloudError, Found, Owner};
use drstack_core::kind::{
    Capabilities, Erased, FieldChange, Halfway, Kind, KindRegistry, Lookup, Operation, Staged,
};
use drstack_sim::{Operation as Called, Sim};
use serde_json::{Value, json};

use crate::toys::{call, config, read, run, scope};

/// A kind that is found by its name. It is created bare, then tagged, then painted, and locked
/// last.
struct Chest;

/// Its colour, and true if it is locked.
type Live = (String, bool);

impl Kind for Chest {
    const NAME: &'static str = "chest";
    const SUMMARY: &'static str = "a toy that takes four calls to make";
    const LOOKUP: Lookup = Lookup::Name;
    const OPERATIONS: &'static [Operation] = &[];
    const CAPABILITIES: Capabilities =
        Capabilities { staged: Some(&Erased::<Self>::NEW), ..Capabilities::NONE };
    type Spec = String;
    type Live = Live;

    fn diff(spec: &String, live: &Live) -> Vec<FieldChange> {
        FieldChange::of("chest", live, &Self::expect(spec, "")).into_iter().collect()
    }
    fn expect(spec: &String, _id: &str) -> Live {
        (spec.clone(), true)
    }
}

impl Staged for Chest {
    fn halfway(spec: &String, _id: &str) -> Vec<Halfway<Live>> {
        let bare = || (String::new(), false);
        vec![Halfway::untagged(bare()), Halfway::tagged(bare()), Halfway::tagged((spec.clone(), false))]
    }
}

fn sim(text: &str) -> Sim {
    Sim::in_memory(config(text), KindRegistry::new(&[&Erased::<Chest>::NEW]), &scope("fleet"), Vec::new())
        .unwrap()
}

async fn create(sim: &Sim) -> Result<Found, CloudError> {
    sim.create("chest", &call("chest", "b"), &json!("red")).await
}

/// Returns the chest that exists.
async fn there(sim: &Sim) -> Option<(Owner, Value)> {
    let found = read(sim, "chest", &["b"]).await.pop().unwrap().unwrap();
    found.map(|it| (it.owner, it.live))
}

fn ours() -> Owner {
    Owner::Ours(call("chest", "b").address)
}

/// Returns the chest after this number of calls.
fn after(calls: u64) -> Option<(Owner, Value)> {
    match calls {
        0 => None,
        1 => Some((Owner::Foreign, json!(["", false]))),
        2 => Some((ours(), json!(["", false]))),
        3 => Some((ours(), json!(["red", false]))),
        _ => Some((ours(), json!(["red", true]))),
    }
}

#[test]
fn a_creation_can_fail_or_die_at_each_of_its_calls_and_what_stands_then_is_what_they_left() {
    run(async {
        for number in 1..=4 {
            let failing =
                sim(&format!("[[faults]]\noperation = 'create'\nerror = 'internal'\nat = {number}"));
            assert!(matches!(create(&failing).await, Err(CloudError::Other { .. })), "{number}");
            assert_eq!(there(&failing).await, after(number - 1), "{number}");
            for (key, left) in [("kill_at", number - 1), ("kill_after", number)] {
                let dying = sim(&format!("{key} = {number}"));
                tokio::select! {
                    biased;
                    () = dying.stopped() => {}
                    made = create(&dying) => panic!("not killed: {made:?}"),
                }
                let next = dying.restart(config("")).unwrap();
                assert_eq!(there(&next).await, after(left), "{key} {number}");
            }
        }
        let whole = sim("");
        create(&whole).await.unwrap();
        assert_eq!(there(&whole).await, after(4));
        assert_eq!(whole.calls().iter().filter(|it| it.operation == Called::Create).count(), 4);
    });
}

#[test]
fn whoever_repeats_a_creation_goes_on_with_what_carries_no_tags_yet() {
    run(async {
        let sim = sim("[[faults]]\noperation = 'create'\nerror = 'timeout-after-effect'\nat = 1");
        create(&sim).await.unwrap_err();
        assert_eq!(there(&sim).await, after(1));
        create(&sim).await.unwrap();
        assert_eq!(there(&sim).await, after(4));
        assert_eq!(sim.inventory().len(), 1);
    });
}

#[test]
fn of_two_creations_at_once_neither_undoes_what_the_other_did() {
    run(async {
        let sim = sim("jitter = '35ms'");
        let (first, second) = tokio::join!(create(&sim), create(&sim));
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
        assert_eq!(there(&sim).await, after(4));
    });
}

#[test]
fn what_carries_no_tags_yet_is_nobodys_to_change_and_can_be_taken_away() {
    run(async {
        let sim = sim("[[faults]]\noperation = 'create'\nerror = 'denied'\nat = 2");
        create(&sim).await.unwrap_err();
        let call = call("chest", "b");
        let changed = sim.update("chest", &call, "b", &json!("blue"), &[]).await;
        assert!(matches!(changed, Err(CloudError::Conflict { .. })), "{changed:?}");
        sim.delete("chest", &call, "b").await.unwrap();
        assert_eq!(there(&sim).await, None);
    });
}

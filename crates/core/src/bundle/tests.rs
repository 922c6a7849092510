//! Tests of bundles: they are read as published, or refused.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::cloud::Owner;
use crate::component::StackFacts;
use crate::facts::Fact;
use crate::keys::PrivateKey;
use crate::objective::{Objective, Posture};

/// Replacements for a part of the bytes.
const PIECES: [&str; 12] =
    ["", "null", "{}", "[]", "-1", "1e400", "\u{0}", "}", "\"", "\n", "\"format\":2", "9999-12-31T23:59:59Z"];

fn bundle() -> Bundle {
    let word = str::to_owned;
    let facts = StackFacts {
        name: word("demo"),
        primary: word("us-east-1"),
        standby: word("us-west-2"),
        control: word("acme-control"),
        permissions_boundary: None,
    };
    let stack = ResolvedStack {
        facts,
        posture: Posture::Warm,
        objective: Objective { rto: None, rpo: "5s".parse().ok(), tier: 2 },
        signing: None,
        components: BTreeMap::new(),
        sim: serde_json::json!({"rate": 0.1}),
        hash: word("abc"),
    };
    let fact = Fact::new(Timestamp::UNIX_EPOCH, serde_json::json!([1, "ü", null]));
    let found = Found { id: word("i"), owner: Owner::Setting, live: serde_json::json!({"on": true}) };
    let copy = Found { id: word("b"), owner: Owner::Foreign, live: serde_json::json!({}) };
    Bundle {
        drstack: word("0.1.0"),
        run: word("r"),
        applied_at: Timestamp::UNIX_EPOCH,
        stack,
        facts: Facts { answers: [(word("primary/zones/"), fact)].into(), ..Facts::default() },
        elsewhere: Address::parse("bucket.a/versioning").map(|it| (it, found)).into_iter().collect(),
        data: Address::parse("bucket.a/copy").map(|it| (it, copy)).into_iter().collect(),
        rehearsed: Some(RehearsedPlan::default()),
    }
}

#[test]
fn a_bundle_is_read_as_it_was_published() {
    let bytes = bundle().to_bytes().unwrap();
    assert_eq!(Bundle::from_bytes(&bytes).unwrap(), bundle());
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(value["format"], FORMAT);
    assert_eq!(value["bundle"]["stack"]["facts"]["name"], "demo");
}

#[test]
fn every_flipped_bit_is_found() {
    let bytes = bundle().to_bytes().unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(Bundle::from_bytes(&changed).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn what_is_refused_says_why() {
    let bytes = String::from_utf8(bundle().to_bytes().unwrap()).unwrap();
    let refused = |text: &str| Bundle::from_bytes(text.as_bytes()).unwrap_err();
    assert!(matches!(refused("hello"), BundleError::Broken(_)));
    assert!(matches!(refused(&bytes[..bytes.len() / 2]), BundleError::Cut(_)));
    assert!(matches!(refused(&bytes.replace("acme", "evil")), BundleError::Changed));
    assert!(matches!(refused(&format!("{bytes} ")), BundleError::Changed));
    let newer = refused(&bytes.replacen("\"format\":1", "\"format\":2", 1));
    assert!(matches!(newer, BundleError::Format { found: 2 }), "{newer}");
    assert!(newer.hint().contains("use the drstack that published it"));
    let other = bundle().is_of("demo", "another-bucket").unwrap_err();
    assert!(other.to_string().contains("`demo` with control bucket `acme-control`"));
    bundle().is_of("demo", "acme-control").unwrap();
}

#[test]
fn what_a_failover_would_not_notice_makes_no_other_bundle() {
    let mut later = bundle();
    later.run = "another".to_owned();
    later.applied_at = Timestamp::MAX;
    later.facts.answers.values_mut().for_each(|fact| fact.captured_at = Timestamp::MAX);
    assert!(later.says_the_same_as(&bundle()));
    later.facts.answers.values_mut().for_each(|fact| fact.value = serde_json::Value::Null);
    assert!(!later.says_the_same_as(&bundle()));
    let nothing_elsewhere = Bundle { elsewhere: BTreeMap::new(), ..bundle() };
    assert!(!nothing_elsewhere.says_the_same_as(&bundle()));
    let nothing_known_of_data = Bundle { data: BTreeMap::new(), ..bundle() };
    assert!(!nothing_known_of_data.says_the_same_as(&bundle()));
}

#[test]
fn a_bundle_of_before_failovers_were_rehearsed_is_read_and_replaced() {
    let older = Bundle { rehearsed: None, ..bundle() };
    let bytes = older.to_bytes().unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("rehearsed"));
    assert_eq!(Bundle::from_bytes(&bytes).unwrap(), older);
    assert!(!older.says_the_same_as(&bundle()) && older.says_the_same_as(&older));
}

#[test]
fn only_the_signers_signature_of_these_very_bytes_counts() {
    let (ours, theirs) = (PrivateKey::from_random(&[1; 32]), PrivateKey::from_random(&[2; 32]));
    let bytes = bundle().to_bytes().unwrap();
    let refused = |signatures: &str| ours.public().check(&bytes, signatures).unwrap_err();
    for none in ["", "\n \n"] {
        assert_eq!(refused(none), NotSigned::Unsigned(ours.public()));
    }
    for wrong in [theirs.sign(&bytes), ours.sign(b"something else"), "zz".to_owned(), "00".repeat(64)] {
        assert_eq!(refused(&wrong), NotSigned::Invalid(ours.public()));
    }
    let both = format!("{}\n{}\n", theirs.sign(&bytes), ours.sign(&bytes));
    ours.public().check(&bytes, &both).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_bundle_is_refused(
        at in any::<Index>(),
        length in prop_oneof![0..20_usize, Just(usize::MAX / 2)],
        piece in select(&PIECES[..]),
    ) {
        let bytes = bundle().to_bytes().unwrap();
        let from = at.index(bytes.len() + 1);
        let to = (from + length).min(bytes.len());
        let mutated = [&bytes[..from], piece.as_bytes(), &bytes[to..]].concat();
        match Bundle::from_bytes(&mutated) {
            Ok(_) => prop_assert_eq!(mutated, bytes),
            Err(error) => prop_assert!(!error.to_string().is_empty() && !error.hint().is_empty()),
        }
    }
}

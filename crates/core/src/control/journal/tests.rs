//! Tests of the journal's guarantees, whatever happens to its writes.

use super::*;
use crate::control::memory::{Fate, Memory};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn journal() -> (Arc<Memory>, Journal) {
    let store = Arc::new(Memory::default());
    let journal = Journal::new(store.clone(), "r");
    (store, journal)
}

fn done(step: StepId) -> [Entry; 1] {
    [Entry::Done { step, id: "it".to_owned() }]
}

fn line(entry: &Entry) -> String {
    serde_json::to_string(entry).unwrap()
}

fn sealed(by: &str) -> Entry {
    Entry::Sealed { by: by.to_owned() }
}

#[tokio::test]
async fn entries_stand_in_the_order_in_which_they_were_written() {
    let (store, mut journal) = journal();
    for step in 0..12 {
        journal.append(&done(step)).await.unwrap();
    }
    journal.append(&[]).await.unwrap();
    let expected: Vec<String> = (0..12).map(|step| line(&done(step)[0])).collect();
    assert_eq!(store.lines("runs/r/journal/"), expected);
    assert_eq!(store.objects().keys().next().unwrap(), "runs/r/journal/000000.jsonl");
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_written_once() {
    let (store, mut journal) = journal();
    store.fate(&[Fate::AnswerLost]);
    journal.append(&done(0)).await.unwrap();
    journal.append(&done(1)).await.unwrap();
    assert_eq!(store.lines("runs/"), [line(&done(0)[0]), line(&done(1)[0])]);
    assert!(journal.permit().holds(NOW));
}

#[tokio::test]
async fn a_write_that_never_arrived_ends_the_permit() {
    let (store, mut journal) = journal();
    let permit = journal.permit();
    assert!(permit.holds(NOW));
    store.fate(&[Fate::Lost]);
    let lost = journal.append(&done(0)).await;
    assert!(matches!(lost, Err(JournalError::Store(_))), "{lost:?}");
    assert!(!permit.holds(NOW));
    assert_eq!(store.lines("runs/"), [""; 0]);
}

#[tokio::test]
async fn after_a_seal_nothing_is_written() {
    for written in [0, 1, 5] {
        let (store, mut journal) = journal();
        for step in 0..written {
            journal.append(&done(step)).await.unwrap();
        }
        seal(&*store, "r", "next").await.unwrap();
        let permit = journal.permit();
        let fenced = journal.append(&done(9)).await;
        assert!(matches!(&fenced, Err(JournalError::Fenced { run }) if run == "r"), "{fenced:?}");
        assert!(!permit.holds(NOW));
        let lines = store.lines("runs/r/journal/");
        assert_eq!(lines.len(), written + 1);
        assert_eq!(lines[written], line(&sealed("next")));
    }
}

#[tokio::test]
async fn a_write_that_fails_after_a_seal_is_a_fence_and_not_a_fault_of_the_store() {
    let (store, mut journal) = journal();
    seal(&*store, "r", "next").await.unwrap();
    store.fate(&[Fate::AnswerLost]);
    let fenced = journal.append(&done(0)).await;
    assert!(matches!(fenced, Err(JournalError::Fenced { .. })), "{fenced:?}");
}

#[tokio::test]
async fn a_seal_takes_the_next_number_of_a_run_that_is_faster() {
    let (store, mut journal) = journal();
    journal.append(&done(0)).await.unwrap();
    let theirs = lines(&done(1));
    store.meddle(move |objects| {
        objects.insert(segment("r", 1), theirs);
    });
    seal(&*store, "r", "next").await.unwrap();
    let expected = [line(&done(0)[0]), line(&done(1)[0]), line(&sealed("next"))];
    assert_eq!(store.lines("runs/r/"), expected);
}

#[tokio::test]
async fn of_a_write_and_a_seal_at_once_the_seal_is_last() {
    let (store, mut journal) = journal();
    let both = done(0);
    let (written, seal) = tokio::join!(journal.append(&both), seal(&*store, "r", "next"));
    seal.unwrap();
    let lines = store.lines("runs/r/");
    assert_eq!(lines.last(), Some(&line(&sealed("next"))));
    assert_eq!(lines.len(), 1 + usize::from(written.is_ok()));
    assert!(matches!(journal.append(&both).await, Err(JournalError::Fenced { .. })));
}

#[tokio::test]
async fn a_seal_whose_answer_was_lost_stands_once() {
    let (store, _) = journal();
    store.fate(&[Fate::AnswerLost]);
    seal(&*store, "r", "next").await.unwrap();
    assert_eq!(store.lines("runs/"), [line(&sealed("next"))]);
}

#[tokio::test]
async fn a_seal_that_never_arrived_is_an_error() {
    let (store, mut journal) = journal();
    store.fate(&[Fate::Lost]);
    assert!(seal(&*store, "r", "next").await.is_err());
    journal.append(&done(0)).await.unwrap();
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    /// A name in a damaged line counts as begun; the intact lines around it count as written.
    #[test]
    fn a_mutated_journal_tells_what_its_whole_lines_say_and_what_the_others_name(
        from in 0..2000_usize, length in 0..40_usize, piece in "[a-z0-9{}:,\"\n-]{0,12}",
    ) {
        let name = |step: StepId| Address::parse(&format!("bucket.b{step}/bucket")).unwrap();
        let intent = |step: StepId| Entry::Intent {
            step, address: name(step), action: Action::Create, token: String::new(),
        };
        let good = lines(&(0..9).map(intent).collect::<Vec<_>>());
        let from = from % good.len();
        let to = (from + length).min(good.len());
        let mut bytes = good.clone();
        bytes.splice(from..to, piece.bytes());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let told = runtime.block_on(async {
            let store = Memory::default();
            store.put("runs/r/journal/000000.jsonl", bytes.clone(), Condition::Always).await.unwrap();
            left(&store, "r", BTreeSet::new()).await.unwrap().begun
        });
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for step in 0..9 {
            let whole = text.lines().any(|it| it == line(&intent(step)));
            let quoted = format!("\"{}\"", name(step));
            let is_damaged = |it: &str| serde_json::from_str::<Entry>(it).is_err();
            let named = text.lines().any(|it| it.contains(&quoted) && is_damaged(it));
            proptest::prop_assert!(!(whole || named) || told.contains(&name(step)), "{step} is lost: {text}");
        }
    }
}

#[tokio::test]
async fn a_line_that_cannot_be_read_counts_as_begun_with_all_that_it_names() {
    let at = |text: &str| Address::parse(text).unwrap();
    let keyed = "module.a.pool.b[\"x/y\"]/group";
    let lines = [
        // Of another version: an action and an entry that this version does not know.
        r#"{"entry":"intent","step":0,"address":"bucket.new/bucket","action":"adopt","token":"a/b"}"#
            .to_owned(),
        format!(
            r#"{{"entry":"planned","begun":["table.t/table-replica",{}]}}"#,
            serde_json::to_string(keyed).unwrap()
        ),
        // Truncated.
        r#"{"entry":"intent","step":1,"address":"bucket.cut/bucket","acti"#.to_owned(),
        r#"denied: see "https://docs.aws/x" and "arn:aws:s3:::a.b/c" or "some/path" "#.to_owned(),
    ];
    let store = Memory::default();
    let body = lines.join("\n").into_bytes();
    store.put("runs/r/journal/000000.jsonl", body, Condition::Always).await.unwrap();
    let expected =
        ["bucket.before/bucket", "bucket.cut/bucket", "bucket.new/bucket", keyed, "table.t/table-replica"]
            .map(at);
    let told = left(&store, "r", [at("bucket.before/bucket")].into()).await.unwrap().begun;
    assert_eq!(told, expected.into());
}

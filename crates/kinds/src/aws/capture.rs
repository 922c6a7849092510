//! Answers queries for facts: each fact kind in bulk, several kinds at once.

use std::collections::BTreeMap;

use drstack_core::cloud::CloudError;
use drstack_core::facts::FactQuery;
use drstack_core::kind::Place;
use futures_util::future::join_all;

use super::Target;
use super::ask::Answer;
use crate::registry::facts::asker;

/// Answers `queries`, in order.
pub(super) async fn capture_all(at: &Target<'_>, queries: &[FactQuery]) -> Vec<Answer> {
    let mut by_kind: BTreeMap<(&str, Place), Vec<usize>> = BTreeMap::new();
    for (index, query) in queries.iter().enumerate() {
        by_kind.entry((&query.kind, query.place)).or_default().push(index);
    }
    let asked = by_kind.into_iter().map(async |((kind, place), indexes)| {
        let names: Vec<String> = indexes.iter().map(|index| queries[*index].name.clone()).collect();
        let at = Target { place, region: at.scope.region(place), ..*at };
        let answers = match asker(kind) {
            Some(ask) => ask(&at, &names).await,
            None => names.iter().map(|_| Err(unknown(kind))).collect(),
        };
        indexes.into_iter().zip(answers).collect::<Vec<_>>()
    });
    let mut answers: BTreeMap<usize, Answer> = join_all(asked).await.into_iter().flatten().collect();
    // A query without an answer is not known: neither is it absent, nor has it the next one's answer.
    let of = |(index, query): (usize, &FactQuery)| {
        answers.remove(&index).unwrap_or_else(|| Err(unanswered(query)))
    };
    queries.iter().enumerate().map(of).collect()
}

pub(super) fn unanswered(query: &FactQuery) -> CloudError {
    CloudError::Other { operation: "capture".to_owned(), message: format!("`{}` got no answer", query.key()) }
}

fn unknown(kind: &str) -> CloudError {
    let message = format!("this build cannot ask AWS about `{kind}`");
    CloudError::Other { operation: "capture".to_owned(), message }
}

//! The calling half of a fact kind.

use drstack_core::cloud::{Captured, CloudError, Secrets};
use futures_util::future::BoxFuture;

use super::{Target, each_of};
use crate::facts::FactKind;

/// Maximum number of names in one request.
pub(crate) const NAMES: usize = 50;

/// One answer with its secrets, which must not be stored; `None` if the object does not exist.
pub(crate) type Asked<F> = Result<Option<(F, Secrets)>, CloudError>;

/// Returns an answer without secrets.
pub(crate) fn plain<F>(fact: F) -> (F, Secrets) {
    (fact, Secrets::default())
}

/// The calling half of a fact kind whose service has no bulk call.
pub(crate) trait Ask: FactKind {
    /// Reads the fact of `name`; `None` if it does not exist.
    fn ask(at: &Target<'_>, name: &str) -> impl Future<Output = Result<Option<Self>, CloudError>> + Send;
}

/// The calling half of a fact kind.
pub(crate) trait BulkAsk: FactKind {
    /// Reads the facts of `names`; answers in order.
    fn ask_all(at: &Target<'_>, names: &[String]) -> impl Future<Output = Vec<Asked<Self>>> + Send;
}

impl<F: Ask + Send> BulkAsk for F {
    async fn ask_all(at: &Target<'_>, names: &[String]) -> Vec<Asked<F>> {
        each_of(names.to_vec(), |name| async move { Ok(F::ask(at, &name).await?.map(plain)) }).await
    }
}

/// The answer to one query, with its type erased.
pub(crate) type Answer = Result<Option<Captured>, CloudError>;
/// [`BulkAsk::ask_all`] with its type erased.
pub(crate) type Asker = for<'a> fn(&'a Target<'a>, &'a [String]) -> BoxFuture<'a, Vec<Answer>>;

/// Runs [`BulkAsk::ask_all`] of `F` and erases the type of its answers.
pub(crate) fn erased<'a, F: BulkAsk + Send>(
    at: &'a Target<'a>,
    names: &'a [String],
) -> BoxFuture<'a, Vec<Answer>> {
    Box::pin(async move { F::ask_all(at, names).await.into_iter().map(captured).collect() })
}

fn captured<F: FactKind>(asked: Asked<F>) -> Answer {
    let Some((fact, secrets)) = asked? else { return Ok(None) };
    let value = serde_json::to_value(fact)
        .map_err(|error| CloudError::Other { operation: "capture".to_owned(), message: error.to_string() })?;
    Ok(Some(Captured { value, secrets }))
}

//! Interceptor of every call.
//!
//! It logs each attempt, counts throttling, blocks calls to other regions while only the standby
//! may be called, and blocks attempts at a change once the run's lock has ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use drstack_core::calls::{CallNote, GLOBAL, RefusedCall};
use drstack_core::cloud::CloudError;
use drstack_core::control::lease::Permit;
use jiff::Timestamp;

use crate::services::codes;
use crate::services::partition::{home, is_partitional};

/// Maximum number of logged calls: more than a run over 100,000 resources makes; 200 bytes each.
const MOST_NOTES: usize = 500_000;

/// Headers with the request's id, by service.
const REQUEST_IDS: &[&str] = &["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"];

/// The call log of one program. Clones share the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    notes: Vec<CallNote>,
    refused: Vec<RefusedCall>,
    /// Throttled attempts by service and region.
    throttled: BTreeMap<(String, String), u64>,
    /// The only region that may be called, if restricted.
    alone: Option<String>,
    /// The permit of the current run; none between runs.
    permit: Option<Permit>,
}

impl Log {
    /// Sets the permit that each attempt at a change has to check from here on.
    pub(crate) fn under(&self, permit: Option<Permit>) {
        self.inner().permit = permit;
    }

    /// Restricts all further calls to `standby`.
    pub(crate) fn restrict_to_standby(&self, standby: &str) {
        self.inner().alone = Some(standby.to_owned());
    }

    /// Returns the calls that were refused since then.
    pub(crate) fn refused(&self) -> Vec<RefusedCall> {
        self.inner().refused.clone()
    }

    /// Returns all attempts.
    pub(crate) fn notes(&self) -> Vec<CallNote> {
        self.inner().notes.clone()
    }

    /// Counts throttled attempts of `service` in `region`.
    pub(crate) fn throttled(&self, service: &str, region: &str) -> u64 {
        let by = (service.to_owned(), region.to_owned());
        self.inner().throttled.get(&by).copied().unwrap_or(0)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves whole entries: each change is one operation on one collection.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The interceptor of one client.
#[derive(Debug)]
pub(crate) struct Watch {
    /// IAM prefix of the client's service.
    service: &'static str,
    /// Region of its calls; [`GLOBAL`] for services of the whole partition.
    region: String,
    log: Log,
    /// True if its calls need no permit: those on lock and journal, which are conditional writes.
    is_of_records: bool,
}

/// An attempt in flight.
#[derive(Debug)]
struct Sent {
    began: Instant,
    /// Its index in the log; `None` if the log is full.
    number: Option<usize>,
}

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Watch {
    /// Creates it for a client of `service` in `region`.
    pub(crate) fn new(service: &'static str, region: &str, log: &Log) -> Self {
        let region = if is_partitional(service) { GLOBAL } else { region };
        Self { service, region: region.to_owned(), log: log.clone(), is_of_records: false }
    }

    /// Creates it for the client that reads and writes the objects of the control bucket.
    pub(crate) fn of_records(region: &str, log: &Log) -> Self {
        Self { is_of_records: true, ..Self::new("s3", region, log) }
    }

    /// Returns the refusal of a call that would leave `standby`, if it is the only region that may
    /// be called.
    fn refused(&self, operation: &str, standby: &str) -> Option<RefusedCall> {
        let leaves = self.region != standby || home(self.service, operation).is_some();
        leaves.then(|| RefusedCall {
            service: self.service.to_owned(),
            operation: operation.to_owned(),
            region: self.region.clone(),
        })
    }

    /// Refuses an attempt at a change once the run's lock has ended.
    ///
    /// Reads the clock each time: the machine may have slept since the last attempt, and another
    /// run may hold the lock by now.
    fn expect_permit(&self, operation: &str, permit: Option<&Permit>) -> Result<(), CloudError> {
        let is_free = self.is_of_records || is_read(operation);
        match permit {
            Some(permit) if !is_free && !permit.holds(Timestamp::now()) => {
                Err(CloudError::Lapsed { operation: format!("{}:{operation}", self.service) })
            }
            _ => Ok(()),
        }
    }
}

/// True if an operation is a read, by its name. Any other name counts as a change.
fn is_read(operation: &str) -> bool {
    ["BatchGet", "Describe", "Get", "Head", "List", "Query", "Scan"]
        .iter()
        .any(|start| operation.starts_with(start))
}

fn operation(config: &ConfigBag) -> String {
    config.load::<Metadata>().map(|it| it.name().to_owned()).unwrap_or_default()
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "drstack"
    }

    /// Runs before anything is sent, credentials are requested, or an attempt begins.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut log = self.log.inner();
        let Some(standby) = log.alone.clone() else { return Ok(()) };
        self.refused(&operation(config), &standby).map_or(Ok(()), |refused| {
            let error = refused.error();
            log.refused.push(refused);
            Err(error.into())
        })
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = operation(config);
        let mut log = self.log.inner();
        self.expect_permit(&operation, log.permit.as_ref())?;
        // A note without a result means that the caller cancelled the attempt.
        let note = CallNote {
            service: self.service.to_owned(),
            operation,
            region: self.region.clone(),
            at: Timestamp::now(),
            millis: 0,
            attempt: config.load::<RequestAttempts>().map_or(1, |it| it.attempts()),
            status: 0,
            error: Some("abandoned".to_owned()),
            request_id: None,
        };
        let number = (log.notes.len() < MOST_NOTES).then_some(log.notes.len());
        if number.is_some() {
            log.notes.push(note);
        }
        config.interceptor_state().store_put(Sent { began: Instant::now(), number });
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // An attempt that failed before it was sent, for example for lack of credentials, has no
        // entry.
        let Some(Sent { began, number }) = config.load::<Sent>() else { return Ok(()) };
        let failed = matches!(context.output_or_error(), Some(Err(_)) | None);
        let (status, error, request_id) = match context.response() {
            Some(answer) => {
                let status = answer.status().as_u16();
                (status, failed.then(|| code(answer)), request_id(answer))
            }
            None => (0, Some("timeout".to_owned()), None),
        };
        let mut log = self.log.inner();
        if error.as_deref().is_some_and(|code| codes(self.service).is_throttling(code)) || status == 429 {
            let by = (self.service.to_owned(), self.region.clone());
            *log.throttled.entry(by).or_insert(0) += 1;
        }
        if let Some(note) = number.and_then(|number| log.notes.get_mut(number)) {
            note.millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            (note.status, note.error, note.request_id) = (status, error, request_id);
        }
        config.interceptor_state().unset::<Sent>();
        Ok(())
    }
}

fn request_id(answer: &HttpResponse) -> Option<String> {
    REQUEST_IDS.iter().find_map(|name| answer.headers().get(*name)).map(str::to_owned)
}

/// Returns AWS's error code in a refusal, or its status if it has no code.
///
/// The SDK's typed errors are not available here: each operation has its own type.
fn code(answer: &HttpResponse) -> String {
    let status = answer.status().as_u16();
    let body = answer.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    let code = in_header(answer).or_else(|| in_json(&body)).or_else(|| in_xml(&body).map(str::to_owned));
    code.unwrap_or_else(|| match status {
        503 => "ServiceUnavailable".to_owned(),
        _ => status.to_string(),
    })
}

fn in_header(answer: &HttpResponse) -> Option<String> {
    Some(bare(answer.headers().get("x-amzn-errortype")?))
}

fn in_json(body: &str) -> Option<String> {
    let said: serde_json::Value = serde_json::from_str(body).ok()?;
    Some(bare(said.get("__type").or_else(|| said.get("code"))?.as_str()?))
}

/// Returns the bare code of `com.amazonaws.dynamodb#ThrottlingException:http://...`
fn bare(code: &str) -> String {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default().to_owned()
}

fn in_xml(body: &str) -> Option<&str> {
    Some(body.split_once("<Code>")?.1.split_once("</Code>")?.0)
}

#[cfg(test)]
mod tests;

//! The value of a quota.

use drstack_core::cloud::CloudError;

use crate::aws::{Target, has_code};

/// The code of a quota to which no value of its own applies.
const NONE: &str = "NoSuchResourceException";

/// A quota of a service, in the region of the call.
pub(crate) struct QuotaValue {
    pub(crate) name: String,
    pub(crate) value: u32,
}

/// Returns the quota `code` of `service` that applies to the account, or else AWS's default.
///
/// # Errors
/// The service's errors; also if it knows no such quota.
pub(crate) async fn quota(at: &Target<'_>, service: &str, code: &str) -> Result<QuotaValue, CloudError> {
    let applied = at.servicequotas().get_service_quota().service_code(service).quota_code(code).send().await;
    let quota = match applied {
        Ok(answer) => answer.quota,
        Err(error) if has_code(&error, &[NONE]) => {
            let default = at.servicequotas().get_aws_default_service_quota();
            let default = default.service_code(service).quota_code(code).send().await;
            default.map_err(|error| at.failed("servicequotas:GetAWSDefaultServiceQuota", error))?.quota
        }
        Err(error) => return Err(at.failed("servicequotas:GetServiceQuota", error)),
    };
    let said = quota.and_then(|it| Some(QuotaValue { name: it.quota_name?, value: whole(it.value?)? }));
    said.ok_or_else(|| CloudError::Other {
        operation: "servicequotas:GetServiceQuota".to_owned(),
        message: format!("the answer has no value of `{code}`"),
    })
}

/// Returns a quota as a whole number: vCPUs and instances are counted, not measured.
fn whole(value: f64) -> Option<u32> {
    let is_number = value.is_finite() && value >= 0.0;
    is_number.then(|| value.min(f64::from(u32::MAX)).floor() as u32)
}

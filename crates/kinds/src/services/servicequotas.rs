//! Service Quotas.

#[cfg(feature = "aws")]
pub(crate) mod value;

#[cfg(feature = "aws")]
crate::aws::client!(aws_sdk_servicequotas, "servicequotas", servicequotas);

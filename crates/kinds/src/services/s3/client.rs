//! The client of S3.

use std::sync::Arc;

use aws_config::SdkConfig;

use super::settings;
use crate::aws::{Client, ExpectOwner, Target, Watch};

impl Client for aws_sdk_s3::Client {
    const SERVICE: &'static str = "s3";

    fn new(config: &SdkConfig, watch: Watch, account: &Arc<str>) -> Self {
        Self::from_conf(
            settings::of(config).interceptor(watch).interceptor(ExpectOwner::new(account)).build(),
        )
    }
}

impl Target<'_> {
    pub(crate) fn s3(&self) -> Arc<aws_sdk_s3::Client> {
        self.aws.at(self.place).client()
    }
}

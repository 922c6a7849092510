//! Settings of S3's clients.

use aws_config::SdkConfig;

/// Settings of a client.
pub(crate) fn of(config: &SdkConfig) -> aws_sdk_s3::config::Builder {
    // A custom server (moto, MinIO) has no DNS name for each bucket.
    let own_server = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|it| !it.is_empty()));
    aws_sdk_s3::config::Builder::from(config).force_path_style(own_server)
}

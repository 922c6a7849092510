use aws_sdk_ec2::types::builders::{
    LaunchTemplateInstanceMetadataOptionsRequestBuilder, RequestLaunchTemplateDataBuilder,
};
use aws_sdk_ec2::types::{
    LaunchTemplateInstanceMetadataProtocolIpv6, LaunchTemplateInstanceMetadataTagsState,
    LaunchTemplatesMonitoringRequest, ResponseLaunchTemplateData,
};

use super::LaunchOptions;

impl LaunchOptions {
    /// Returns the options of a template.
    pub(crate) fn of(data: &ResponseLaunchTemplateData) -> Self {
        let metadata = data.metadata_options();
        // 1 is the default (EC2 API reference, `HttpPutResponseHopLimit`).
        let hop_limit = metadata.and_then(|it| it.http_put_response_hop_limit()).filter(|hops| *hops != 1);
        let ipv6 = metadata.and_then(|it| it.http_protocol_ipv6());
        let tags = metadata.and_then(|it| it.instance_metadata_tags());
        Self {
            hop_limit,
            metadata_ipv6: ipv6 == Some(&LaunchTemplateInstanceMetadataProtocolIpv6::Enabled),
            metadata_tags: tags == Some(&LaunchTemplateInstanceMetadataTagsState::Enabled),
            monitoring: data.monitoring().and_then(|it| it.enabled()) == Some(true),
            ebs_optimized: data.ebs_optimized() == Some(true),
        }
    }

    /// Adds the options of the metadata service.
    pub(crate) fn in_metadata(
        &self,
        options: LaunchTemplateInstanceMetadataOptionsRequestBuilder,
    ) -> LaunchTemplateInstanceMetadataOptionsRequestBuilder {
        let ipv6 = self.metadata_ipv6.then_some(LaunchTemplateInstanceMetadataProtocolIpv6::Enabled);
        let tags = self.metadata_tags.then_some(LaunchTemplateInstanceMetadataTagsState::Enabled);
        options
            .set_http_put_response_hop_limit(self.hop_limit)
            .set_http_protocol_ipv6(ipv6)
            .set_instance_metadata_tags(tags)
    }

    /// Adds the other options.
    pub(crate) fn in_template(
        &self,
        data: RequestLaunchTemplateDataBuilder,
    ) -> RequestLaunchTemplateDataBuilder {
        let monitoring = LaunchTemplatesMonitoringRequest::builder().enabled(true).build();
        data.set_monitoring(self.monitoring.then_some(monitoring))
            .set_ebs_optimized(self.ebs_optimized.then_some(true))
    }
}

//! Launch configurations, which old groups have in the place of a launch template.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::{AutoScalingGroup, BlockDeviceMapping, Ebs, LaunchConfiguration};
use aws_sdk_ec2::types::{
    InstanceType, LaunchTemplateBlockDeviceMapping, LaunchTemplateEbsBlockDevice,
    LaunchTemplateIamInstanceProfileSpecification, LaunchTemplateInstanceMetadataOptions,
    LaunchTemplatesMonitoring, ResponseLaunchTemplateData, VolumeType,
};
use drstack_core::cloud::CloudError;

use super::Field;
use crate::aws::{NAMES, Target};
use crate::ledger::{FieldSetting, NotCarried};
use crate::services::autoscaling::group_fact::configuration_fields::{
    CONFIGURATION, CONFIGURATION_DISK, CONFIGURATION_VOLUME,
};

/// Reads the launch configurations of `groups`, by name.
pub(super) async fn read(
    at: &Target<'_>,
    groups: &[AutoScalingGroup],
) -> Result<BTreeMap<String, LaunchConfiguration>, CloudError> {
    let names: Vec<String> = groups.iter().filter_map(|it| it.launch_configuration_name.clone()).collect();
    let mut found = BTreeMap::new();
    for names in names.chunks(NAMES) {
        let ask = at.autoscaling().describe_launch_configurations();
        let ask = ask.set_launch_configuration_names(Some(names.to_vec()));
        let mut pages = ask.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| at.failed("autoscaling:DescribeLaunchConfigurations", error))?;
            for configuration in page.launch_configurations.unwrap_or_default() {
                let name = configuration.launch_configuration_name.clone().unwrap_or_default();
                found.insert(name, configuration);
            }
        }
    }
    Ok(found)
}

/// Returns what is carried of a launch configuration as the data of a template.
pub(super) fn data(from: &LaunchConfiguration) -> ResponseLaunchTemplateData {
    let profile = from.iam_instance_profile().map(|it| {
        let profile = LaunchTemplateIamInstanceProfileSpecification::builder();
        if it.starts_with("arn:") { profile.arn(it).build() } else { profile.name(it).build() }
    });
    let metadata = from.metadata_options().map(|it| {
        let options = LaunchTemplateInstanceMetadataOptions::builder();
        options.set_http_put_response_hop_limit(it.http_put_response_hop_limit()).build()
    });
    let monitoring = from.instance_monitoring().and_then(|it| it.enabled());
    ResponseLaunchTemplateData::builder()
        .set_image_id(from.image_id.clone())
        .set_instance_type(from.instance_type().map(InstanceType::from))
        .set_user_data(from.user_data.clone().filter(|it| !it.is_empty()))
        .set_iam_instance_profile(profile)
        .set_block_device_mappings(Some(from.block_device_mappings().iter().map(disk).collect()))
        .set_monitoring(monitoring.map(|it| LaunchTemplatesMonitoring::builder().enabled(it).build()))
        .set_ebs_optimized(from.ebs_optimized())
        .set_metadata_options(metadata)
        .build()
}

/// Returns a disk without what is not carried.
fn disk(from: &BlockDeviceMapping) -> LaunchTemplateBlockDeviceMapping {
    let volume = from.ebs().map(|it| {
        LaunchTemplateEbsBlockDevice::builder()
            .set_volume_size(it.volume_size())
            .set_volume_type(it.volume_type().map(VolumeType::from))
            .set_iops(it.iops())
            .set_throughput(it.throughput())
            .build()
    });
    let disk = LaunchTemplateBlockDeviceMapping::builder();
    disk.set_device_name(from.device_name.clone()).set_ebs(volume).build()
}

/// Adds the fields of a launch configuration that are set and not carried.
pub(super) fn add_not_carried(found: &mut NotCarried, from: &LaunchConfiguration) {
    found.add(&CONFIGURATION, machine(from));
    found.add(&CONFIGURATION_DISK, disks(from.block_device_mappings()));
    let volumes = from.block_device_mappings().iter().filter_map(BlockDeviceMapping::ebs);
    found.add(&CONFIGURATION_VOLUME, self::volumes(&volumes.collect::<Vec<_>>()));
}

/// Fields of [`CONFIGURATION`].
fn machine(from: &LaunchConfiguration) -> Vec<Field> {
    let is_set = |text: Option<&str>| FieldSetting::flag(text.is_some_and(|it| !it.is_empty()));
    vec![
        ("KeyName", is_set(from.key_name())),
        ("AssociatePublicIpAddress", FieldSetting::flag(from.associate_public_ip_address() == Some(true))),
        ("PlacementTenancy", FieldSetting::unless("default", from.placement_tenancy())),
        ("SpotPrice", FieldSetting::unless("", from.spot_price())),
        ("KernelId", is_set(from.kernel_id())),
        ("RamdiskId", is_set(from.ramdisk_id())),
    ]
}

fn disks(mappings: &[BlockDeviceMapping]) -> Vec<Field> {
    let with = |is: fn(&BlockDeviceMapping) -> bool| {
        FieldSetting::count(mappings.iter().filter(|it| is(it)).count())
    };
    vec![
        // One with a snapshot is counted there.
        (
            "Ebs",
            with(|it| it.ebs().is_some_and(|ebs| ebs.volume_size.is_none() && ebs.snapshot_id.is_none())),
        ),
        ("VirtualName", with(|it| it.virtual_name().is_some())),
        ("NoDevice", with(|it| it.no_device() == Some(true))),
    ]
}

fn volumes(volumes: &[&Ebs]) -> Vec<Field> {
    let with = |is: fn(&Ebs) -> bool| FieldSetting::count(volumes.iter().filter(|it| is(it)).count());
    vec![
        ("SnapshotId", with(|it| it.snapshot_id().is_some())),
        ("DeleteOnTermination", with(|it| it.delete_on_termination() == Some(false))),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aws_sdk_autoscaling::types::InstanceMonitoring;

    use super::*;
    use crate::ledger::Ledger;
    use crate::services::ec2::launch_options::LaunchOptions;

    /// Asserts that every field of `ledger` that notes may name is looked at.
    #[track_caller]
    fn expect_all(ledger: &Ledger, looked_at: &[Field]) {
        let looked_at: BTreeSet<&str> = looked_at.iter().map(|(field, _)| *field).collect();
        assert_eq!(looked_at, ledger.not_yet().map(|(field, _)| field).collect(), "{}", ledger.object);
    }

    #[test]
    fn every_field_that_is_not_carried_is_looked_at() {
        expect_all(&CONFIGURATION, &machine(&LaunchConfiguration::builder().build()));
        expect_all(&CONFIGURATION_DISK, &disks(&[]));
        expect_all(&CONFIGURATION_VOLUME, &volumes(&[]));
    }

    /// C4
    #[test]
    fn a_launch_configuration_is_carried_as_a_template() {
        let from = LaunchConfiguration::builder()
            .image_id("ami-1")
            .instance_type("g5.xlarge")
            .iam_instance_profile("arn:aws:iam::111122223333:instance-profile/serve")
            .instance_monitoring(InstanceMonitoring::builder().enabled(true).build())
            .key_name("ops")
            .build();
        let data = data(&from);
        assert_eq!((data.image_id(), data.instance_type()), (Some("ami-1"), Some(&InstanceType::G5Xlarge)));
        assert!(LaunchOptions::of(&data).monitoring);
        let mut found = NotCarried::default();
        add_not_carried(&mut found, &from);
        assert_eq!(
            found.sentences("group web", &[&CONFIGURATION]),
            ["not carried from group web: key pair (docs/reference/followed.md)"]
        );
    }
}

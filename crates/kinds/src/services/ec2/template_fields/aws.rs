use aws_sdk_ec2::types::{
    LaunchTemplateAutoRecoveryState, LaunchTemplateBlockDeviceMapping, LaunchTemplateEbsBlockDevice,
    LaunchTemplateInstanceNetworkInterfaceSpecification, ResponseLaunchTemplateData,
};

use super::{DISK, INTERFACE, TEMPLATE, VOLUME};
use crate::ledger::{FieldSetting, NotCarried};

/// A field and how it is set.
type Field = (&'static str, Option<FieldSetting>);
/// A network interface of a template.
type Interface = LaunchTemplateInstanceNetworkInterfaceSpecification;

/// Adds the fields of a template that are set and not carried.
pub(crate) fn add_not_carried(found: &mut NotCarried, data: &ResponseLaunchTemplateData) {
    found.add(&TEMPLATE, machine(data));
    found.add(&TEMPLATE, protection(data));
    found.add(&DISK, disks(data.block_device_mappings()));
    let volumes = data.block_device_mappings().iter().filter_map(LaunchTemplateBlockDeviceMapping::ebs);
    found.add(&VOLUME, self::volumes(&volumes.collect::<Vec<_>>()));
    let interfaces = data.network_interfaces();
    found.add(&INTERFACE, interface_kinds(interfaces));
    found.add(&INTERFACE, addresses(interfaces));
}

/// Fields of [`TEMPLATE`]: the machine and its place.
fn machine(data: &ResponseLaunchTemplateData) -> Vec<Field> {
    let tags = data.tag_specifications().iter().map(|it| it.tags().len()).sum();
    let bandwidth = data.network_performance_options().and_then(|it| it.bandwidth_weighting());
    let credits = data.credit_specification().and_then(|it| it.cpu_credits());
    vec![
        ("KeyName", FieldSetting::flag(data.key_name().is_some())),
        ("Placement", FieldSetting::flag(data.placement().is_some())),
        ("TagSpecifications", FieldSetting::count(tags)),
        ("CpuOptions", FieldSetting::flag(data.cpu_options().is_some())),
        ("CreditSpecification", FieldSetting::unless("", credits)),
        ("LicenseSpecifications", FieldSetting::count(data.license_specifications().len())),
        (
            "EnclaveOptions",
            FieldSetting::flag(data.enclave_options().and_then(|it| it.enabled()) == Some(true)),
        ),
        ("PrivateDnsNameOptions", FieldSetting::flag(data.private_dns_name_options().is_some())),
        ("NetworkPerformanceOptions", FieldSetting::unless("default", bandwidth.map(|it| it.as_str()))),
        ("SecondaryInterfaces", FieldSetting::count(data.secondary_interfaces().len())),
        ("KernelId", FieldSetting::flag(data.kernel_id().is_some())),
        ("RamDiskId", FieldSetting::flag(data.ram_disk_id().is_some())),
        ("ElasticGpuSpecifications", FieldSetting::count(data.elastic_gpu_specifications().len())),
        ("ElasticInferenceAccelerators", FieldSetting::count(data.elastic_inference_accelerators().len())),
    ]
}

/// Fields of [`TEMPLATE`]: how instances stop and start again.
fn protection(data: &ResponseLaunchTemplateData) -> Vec<Field> {
    let shutdown = data.instance_initiated_shutdown_behavior().map(|it| it.as_str());
    let hibernates = data.hibernation_options().and_then(|it| it.configured());
    let recovery = data.maintenance_options().and_then(|it| it.auto_recovery());
    vec![
        ("DisableApiTermination", FieldSetting::flag(data.disable_api_termination() == Some(true))),
        ("DisableApiStop", FieldSetting::flag(data.disable_api_stop() == Some(true))),
        ("InstanceInitiatedShutdownBehavior", FieldSetting::unless("stop", shutdown)),
        ("HibernationOptions", FieldSetting::flag(hibernates == Some(true))),
        (
            "MaintenanceOptions",
            FieldSetting::flag(recovery == Some(&LaunchTemplateAutoRecoveryState::Disabled)),
        ),
    ]
}

fn disks(mappings: &[LaunchTemplateBlockDeviceMapping]) -> Vec<Field> {
    let with = |is: fn(&LaunchTemplateBlockDeviceMapping) -> bool| {
        FieldSetting::count(mappings.iter().filter(|it| is(it)).count())
    };
    vec![
        // One with a snapshot is counted there.
        (
            "Ebs",
            with(|it| it.ebs().is_some_and(|ebs| ebs.volume_size.is_none() && ebs.snapshot_id.is_none())),
        ),
        ("VirtualName", with(|it| it.virtual_name().is_some())),
        ("NoDevice", with(|it| it.no_device().is_some())),
    ]
}

fn volumes(volumes: &[&LaunchTemplateEbsBlockDevice]) -> Vec<Field> {
    let with = |is: fn(&LaunchTemplateEbsBlockDevice) -> bool| {
        FieldSetting::count(volumes.iter().filter(|it| is(it)).count())
    };
    vec![
        ("SnapshotId", with(|it| it.snapshot_id().is_some())),
        ("KmsKeyId", with(|it| it.kms_key_id().is_some())),
        ("DeleteOnTermination", with(|it| it.delete_on_termination() == Some(false))),
        ("VolumeInitializationRate", with(|it| it.volume_initialization_rate().is_some())),
        ("EbsCardIndex", with(|it| it.ebs_card_index().is_some_and(|index| index > 0))),
    ]
}

fn with(interfaces: &[Interface], is: fn(&Interface) -> bool) -> Option<FieldSetting> {
    FieldSetting::count(interfaces.iter().filter(|it| is(it)).count())
}

/// Fields of [`INTERFACE`]: which interfaces there are.
fn interface_kinds(interfaces: &[Interface]) -> Vec<Field> {
    let kind = interfaces.iter().filter_map(Interface::interface_type).find(|it| *it != "interface");
    let of = |is| with(interfaces, is);
    vec![
        ("InterfaceType", FieldSetting::unless("", kind)),
        ("DeviceIndex", of(|it| it.device_index().is_some_and(|index| index > 0))),
        ("NetworkCardIndex", of(|it| it.network_card_index().is_some_and(|index| index > 0))),
        ("NetworkInterfaceId", of(|it| it.network_interface_id().is_some())),
        ("EnaSrdSpecification", FieldSetting::flag(of(|it| it.ena_srd_specification().is_some()).is_some())),
        (
            "ConnectionTrackingSpecification",
            FieldSetting::flag(of(|it| it.connection_tracking_specification().is_some()).is_some()),
        ),
        ("EnaQueueCount", FieldSetting::flag(of(|it| it.ena_queue_count().is_some()).is_some())),
    ]
}

/// Fields of [`INTERFACE`]: the addresses of the interfaces.
fn addresses(interfaces: &[Interface]) -> Vec<Field> {
    let of = |is| with(interfaces, is);
    let flag = |is| FieldSetting::flag(with(interfaces, is).is_some());
    vec![
        ("AssociatePublicIpAddress", flag(|it| it.associate_public_ip_address() == Some(true))),
        ("AssociateCarrierIpAddress", flag(|it| it.associate_carrier_ip_address() == Some(true))),
        ("Ipv6AddressCount", flag(|it| it.ipv6_address_count().is_some_and(|count| count > 0))),
        ("Ipv6Addresses", of(|it| !it.ipv6_addresses().is_empty())),
        ("Ipv4PrefixCount", flag(|it| it.ipv4_prefix_count().is_some_and(|count| count > 0))),
        ("Ipv4Prefixes", of(|it| !it.ipv4_prefixes().is_empty())),
        ("Ipv6PrefixCount", flag(|it| it.ipv6_prefix_count().is_some_and(|count| count > 0))),
        ("Ipv6Prefixes", of(|it| !it.ipv6_prefixes().is_empty())),
        ("PrimaryIpv6", flag(|it| it.primary_ipv6() == Some(true))),
        ("PrivateIpAddress", of(|it| it.private_ip_address().is_some())),
        // The first one is there too.
        ("PrivateIpAddresses", of(|it| it.private_ip_addresses().len() > 1)),
        (
            "SecondaryPrivateIpAddressCount",
            flag(|it| it.secondary_private_ip_address_count().is_some_and(|count| count > 0)),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ledger::Ledger;

    /// Asserts that every field of `ledger` that notes may name is looked at.
    #[track_caller]
    fn expect_all(ledger: &Ledger, looked_at: &[Field]) {
        let looked_at: BTreeSet<&str> = looked_at.iter().map(|(field, _)| *field).collect();
        assert_eq!(looked_at, ledger.not_yet().map(|(field, _)| field).collect(), "{}", ledger.object);
    }

    #[test]
    fn every_field_that_is_not_carried_is_looked_at() {
        let data = ResponseLaunchTemplateData::builder().build();
        expect_all(&TEMPLATE, &[machine(&data), protection(&data)].concat());
        expect_all(&DISK, &disks(&[]));
        expect_all(&VOLUME, &volumes(&[]));
        expect_all(&INTERFACE, &[interface_kinds(&[]), addresses(&[])].concat());
    }

    #[test]
    fn a_template_loses_what_it_sets_and_nothing_else() {
        let mut found = NotCarried::default();
        add_not_carried(&mut found, &ResponseLaunchTemplateData::builder().key_name("ops").build());
        assert_eq!(
            found.sentences("group web", &[&TEMPLATE]),
            ["not carried from group web: key pair (docs/reference/followed.md)"]
        );
        found = NotCarried::default();
        add_not_carried(&mut found, &ResponseLaunchTemplateData::builder().disable_api_stop(false).build());
        assert!(found.is_empty(), "{found:?}");
    }
}

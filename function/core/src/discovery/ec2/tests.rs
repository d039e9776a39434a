//! What is asked, and what becomes of the answers.

use super::*;
use crate::scrape_config::discovery::Ec2Filter;

const BARE: &str = "<instanceId>i-1</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name></instanceState>\
    <instanceType>t3.micro</instanceType><placement><availabilityZone>eu-1a</availabilityZone></placement>";

fn page(instances: &str, more: &str) -> Page {
    let xml = format!(
        "<?xml version=\"1.0\"?>\n<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n  \
         <requestId>r</requestId>\n  <reservationSet>\n    <item><reservationId>r-1</reservationId><ownerId>1234</ownerId><groupSet/>\
         <instancesSet>\n{instances}\n</instancesSet></item>\n  </reservationSet>{more}\n</DescribeInstancesResponse>"
    );
    Page::parse(&xml).unwrap_or_else(|error| panic!("{xml}: {error}"))
}

fn instance(more: &str) -> String {
    format!("<item>{BARE}{more}</item>")
}

fn interface(subnet: &str, index: usize, addresses: &[(&str, Option<bool>)]) -> String {
    let addresses = addresses.iter().map(|(address, primary)| {
        let primary = primary.map(|primary| format!("<isPrimaryIpv6>{primary}</isPrimaryIpv6>")).unwrap_or_default();
        format!("<item><ipv6Address>{address}</ipv6Address>{primary}</item>")
    });
    let addresses: String = addresses.collect();
    format!(
        "<item>{subnet}<attachment><deviceIndex>{index}</deviceIndex></attachment>\
         <ipv6AddressesSet>{addresses}</ipv6AddressesSet></item>"
    )
}

#[test]
fn instances_have_the_same_labels_as_in_prometheus() {
    let private = "<privateIpAddress>10.0.0.1</privateIpAddress>";
    let (one, two) = ("<subnetId>subnet-1</subnetId>", "<subnetId>subnet-2</subnetId>");
    let vpc = |interfaces: &str| {
        format!(
            "<vpcId>vpc-1</vpcId><subnetId>subnet-1</subnetId><networkInterfaceSet>{interfaces}</networkInterfaceSet>"
        )
    };
    let in_vpc = [("vpc_id", "vpc-1"), ("primary_subnet_id", "subnet-1")];
    type Case<'a> = (&'a str, String, &'a str, Vec<(&'a str, &'a str)>);
    let cases: Vec<Case<'_>> = vec![
        ("a private address", private.to_owned(), "10.0.0.1:80", vec![("private_ip", "10.0.0.1")]),
        (
            "names, and elements without content",
            format!(
                "{private}<privateDnsName>ip.internal</privateDnsName><ipAddress>8.8.8.8</ipAddress><dnsName/>\
                 <platform/><architecture>arm64</architecture><instanceLifecycle>spot</instanceLifecycle>"
            ),
            "10.0.0.1:80",
            vec![
                ("private_ip", "10.0.0.1"),
                ("private_dns_name", "ip.internal"),
                ("public_ip", "8.8.8.8"),
                ("public_dns_name", ""),
                ("architecture", "arm64"),
                ("instance_lifecycle", "spot"),
            ],
        ),
        (
            "a public name without a public address",
            format!("{private}<dnsName>a.example</dnsName><platform>windows</platform>"),
            "10.0.0.1:80",
            vec![("private_ip", "10.0.0.1"), ("platform", "windows")],
        ),
        (
            "subnets, each once and in order",
            private.to_owned()
                + &vpc(&[
                    interface(two, 0, &[]),
                    interface("", 1, &[]),
                    interface(one, 2, &[]),
                    interface(two, 3, &[]),
                ]
                .concat()),
            "10.0.0.1:80",
            [&in_vpc[..], &[("private_ip", "10.0.0.1"), ("subnet_id", ",subnet-2,subnet-1,")]].concat(),
        ),
        (
            "a network without interfaces",
            private.to_owned() + &vpc(""),
            "10.0.0.1:80",
            [&in_vpc[..], &[("private_ip", "10.0.0.1"), ("subnet_id", ",,")]].concat(),
        ),
        (
            "IPv6 alone, the first where none is primary",
            vpc(&interface(one, 0, &[("fd00::1", Some(false)), ("fd00::2", None)])),
            "[fd00::1]:80",
            [
                &in_vpc[..],
                &[
                    ("subnet_id", ",subnet-1,"),
                    ("default_ipv6_address", "fd00::1"),
                    ("ipv6_addresses", ",fd00::1,fd00::2,"),
                ],
            ]
            .concat(),
        ),
        (
            "primary addresses by interface",
            private.to_owned()
                + &vpc(&[
                    interface(one, 0, &[("fd00::1", Some(false))]),
                    interface(two, 3, &[("fd00::3", Some(true))]),
                    interface(one, 1, &[("fd00::2", Some(true))]),
                    interface("", 2, &[("fd00::4", Some(true))]),
                ]
                .concat()),
            "10.0.0.1:80",
            [
                &in_vpc[..],
                &[
                    ("private_ip", "10.0.0.1"),
                    ("subnet_id", ",subnet-1,subnet-2,"),
                    ("default_ipv6_address", "fd00::2"),
                    ("primary_ipv6_addresses", ",,fd00::2,,fd00::3,"),
                    ("ipv6_addresses", ",fd00::1,fd00::3,fd00::2,"),
                ],
            ]
            .concat(),
        ),
        (
            "an interface whose number no interface has",
            private.to_owned() + &vpc(&interface(one, 2_000_000_000, &[("fd00::1", Some(true))])),
            "10.0.0.1:80",
            [
                &in_vpc[..],
                &[
                    ("private_ip", "10.0.0.1"),
                    ("subnet_id", ",subnet-1,"),
                    ("default_ipv6_address", "fd00::1"),
                    ("ipv6_addresses", ",fd00::1,"),
                ],
            ]
            .concat(),
        ),
        (
            "tags",
            format!(
                "{private}<tagSet><item><key>Name</key><value>a &amp; b</value></item><item><key>aws:x/y-z</key><value/></item>\
                 <item><key>é</key><value>1</value></item><item><key>aws.x/y-z</key><value>last</value></item>\
                 <item><key>alone</key></item></tagSet>"
            ),
            "10.0.0.1:80",
            vec![("private_ip", "10.0.0.1"), ("tag_Name", "a & b"), ("tag__", "1"), ("tag_aws_x_y_z", "last")],
        ),
    ];
    let zones = BTreeMap::from([("eu-1a".to_owned(), "eu1-az2".to_owned())]);
    for (what, more, address, labels) in cases {
        let group = group("eu-1", 80, &zones, &[page(&instance(&more), "")]);
        let common = [
            ("ami", "ami-1"),
            ("availability_zone", "eu-1a"),
            ("availability_zone_id", "eu1-az2"),
            ("instance_id", "i-1"),
            ("instance_state", "running"),
            ("instance_type", "t3.micro"),
            ("owner_id", "1234"),
            ("region", "eu-1"),
        ];
        let mut expected: BTreeMap<_, _> = common
            .iter()
            .chain(&labels)
            .map(|(name, value)| (format!("__meta_ec2_{name}"), (*value).to_owned()))
            .collect();
        expected.insert("__address__".to_owned(), address.to_owned());
        assert_eq!(group.targets, [expected], "{what}");
        assert_eq!((group.source.as_str(), group.labels.len()), ("eu-1", 0), "{what}");
    }
}

#[test]
fn instances_without_an_address_are_skipped() {
    let interface = interface("<subnetId>s</subnetId>", 0, &[("fd00::1", Some(true))]);
    let outside = format!("<networkInterfaceSet>{interface}</networkInterfaceSet>");
    for more in ["", "<ipAddress>8.8.8.8</ipAddress>", &outside] {
        let none: [BTreeMap<String, String>; 0] = [];
        assert_eq!(group("eu-1", 80, &BTreeMap::new(), &[page(&instance(more), "")]).targets, none, "{more}");
    }
}

#[test]
fn all_pages_are_read() {
    for (more, expected) in [
        ("", None),
        ("<nextToken/>", None),
        ("<nextToken></nextToken>", None),
        ("<nextToken>a+/=</nextToken>", Some("a+/=")),
    ] {
        assert_eq!(page("", more).next_token(), expected, "{more}");
    }
    let one = |address: &str| page(&instance(&format!("<privateIpAddress>{address}</privateIpAddress>")), "");
    let group = group("eu-1", 9100, &BTreeMap::new(), &[one("10.0.0.1"), page("", ""), one("10.0.0.2")]);
    let addresses: Vec<_> = group.targets.iter().map(|target| target["__address__"].as_str()).collect();
    assert_eq!(addresses, ["10.0.0.1:9100", "10.0.0.2:9100"]);
    assert_eq!(group.targets[0]["__meta_ec2_availability_zone_id"], "", "zones that are not known");
}

#[test]
fn requests_contain_filters_and_pages() {
    let filter = |name: &str, values: &[&str]| Ec2Filter {
        name: name.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let config = Ec2Sd { filters: vec![filter("tag:a", &["x", "y"]), filter("vpc-id", &["v"])], ..Ec2Sd::default() };
    let text = |query: Vec<(String, String)>| -> Vec<String> {
        query.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    };
    let expected = [
        "Action=DescribeInstances",
        "Version=2016-11-15",
        "MaxResults=1000",
        "Filter.1.Name=tag:a",
        "Filter.1.Value.1=x",
        "Filter.1.Value.2=y",
        "Filter.2.Name=vpc-id",
        "Filter.2.Value.1=v",
    ];
    assert_eq!(text(instances_query(&config, None)), expected);
    let next = text(instances_query(&config, Some("t")));
    assert_eq!(next.split_last(), Some((&"NextToken=t".to_owned(), &expected.map(str::to_owned)[..])));
    assert_eq!(text(zones_query()), ["Action=DescribeAvailabilityZones", "Version=2016-11-15"]);
}

#[test]
fn zones_errors_and_invalid_responses_are_distinguished() {
    let found = zones(
        "<R><availabilityZoneInfo><item><zoneName>eu-1a</zoneName><zoneId>eu1-az2</zoneId></item>\
         <item><zoneName>eu-1b</zoneName></item></availabilityZoneInfo></R>",
    );
    assert_eq!(found.unwrap(), BTreeMap::from([("eu-1a".to_owned(), "eu1-az2".to_owned())]));
    assert_eq!(zones("<R/>").unwrap(), BTreeMap::new());
    let cases = [
        (
            "<Response><Errors><Error><Code>AuthFailure</Code><Message>no</Message></Error></Errors><RequestID>r</RequestID></Response>",
            Some(("AuthFailure", "no")),
        ),
        ("<Response><Errors><Error><Code>X</Code></Error></Errors></Response>", Some(("X", ""))),
        ("<Response><Errors/></Response>", None),
        ("<html>", None),
        ("", None),
    ];
    for (xml, expected) in cases {
        let expected = expected.map(|(code, message)| (code.to_owned(), message.to_owned()));
        assert_eq!(failure(xml), expected, "{xml}");
    }
    for xml in ["", "<html>", "{}", "<R><reservationSet><item></R>", "<R><reservationSet>"] {
        assert!(Page::parse(xml).is_err(), "{xml}");
    }
}

#[test]
fn the_host_of_a_region_is_in_its_partition() {
    let cases = [
        ("eu-central-1", "ec2.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "ec2.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "ec2.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "ec2.eusc-de-east-1.amazonaws.eu"),
    ];
    for region in ["", "a.b", "x@evil.example/", "evil.example/#", "a:80", "a?", "a\\", "é", " "] {
        assert_eq!(host(region), None, "{region:?} would name another host");
    }
    for (region, expected) in cases {
        assert_eq!(host(region).as_deref(), Some(expected));
    }
}

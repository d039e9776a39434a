//! `ec2SDConfigs` of a `ScrapeConfig`.

use super::client::{optional_secret, refresh, sd_client};
use crate::monitors::assets::Assets;
use crate::monitors::finding::{Finding, Within};
use crate::objects::monitoring::scrape_config::Ec2SdConfig;
use crate::scrape_config::discovery::{Ec2Filter, Ec2Sd};
use crate::scrape_config::secret::Secret;

pub(super) fn sd_config(config: &Ec2SdConfig, assets: Assets<'_>, notes: &mut Vec<Finding>) -> Result<Ec2Sd, Finding> {
    let Ec2SdConfig { region, access_key, secret_key, role_arn, port, refresh_interval, filters, client } = config;
    let access = optional_secret(access_key.as_ref(), assets).within("accessKey")?;
    let secret = optional_secret(secret_key.as_ref(), assets).within("secretKey")?;
    let mut ec2 = Ec2Sd {
        region: region.clone().unwrap_or_default(),
        role_arn: role_arn.clone().unwrap_or_default(),
        http_client: sd_client(client, assets, notes)?,
        ..Ec2Sd::default()
    };
    // As in the operator, an access key without a secret key (or the reverse) is checked but not used.
    if let (Some(access), Some(secret)) = (access, secret) {
        ec2.access_key = access;
        ec2.secret_key = Secret::from(secret);
    }
    refresh(refresh_interval.as_deref(), &mut ec2.refresh_interval)?;
    if let Some(port) = port {
        ec2.port = i64::from(*port);
    }
    ec2.filters =
        filters.iter().map(|filter| Ec2Filter { name: filter.name.clone(), values: filter.values.clone() }).collect();
    ec2.filters.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(ec2)
}

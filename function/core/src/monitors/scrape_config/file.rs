//! `fileSDConfigs` of a `ScrapeConfig`.

use super::client::refresh;
use crate::monitors::finding::Finding;
use crate::objects::monitoring::scrape_config::FileSdConfig;
use crate::scrape_config::discovery::FileSd;

pub(super) fn sd_config(config: &FileSdConfig) -> Result<FileSd, Finding> {
    let FileSdConfig { files, refresh_interval } = config;
    let mut file = FileSd { files: files.clone(), ..FileSd::default() };
    refresh(refresh_interval.as_deref(), &mut file.refresh_interval)?;
    Ok(file)
}

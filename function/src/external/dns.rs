//! `dns_sd_configs`: requests to the DNS.
//!
//! Input: a name and a type of record. Output: the records. If a server answers that the name or the type does not
//! exist, there are no records. If no server answers, the result is an error. Search domains are tried as in
//! `lookupWithSearchPath` of Prometheus, which makes the same distinction.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{self, RData};
use hickory_resolver::system_conf::read_system_conf;
use target_allocator_core::discovery::SourceGroup;
use target_allocator_core::discovery::dns::{DnsQuestion, Record, RecordType};

/// The reason why the records of a name are unknown.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LookupError {
    #[error(transparent)]
    NoResolver(#[from] Arc<NetError>),
    #[error("{name}")]
    Failed {
        name: String,
        #[source]
        source: Arc<NetError>,
    },
}

/// Timeout of a request to one server.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Sends requests to DNS servers.
pub struct Client {
    resolver: Result<Resolver, Arc<NetError>>,
}

struct Resolver {
    resolver: TokioResolver,
    search: Vec<String>,
    dots: usize,
}

impl Client {
    /// Uses `servers`. If the list is empty, uses the servers of the system.
    pub fn new(servers: &[SocketAddr]) -> Self {
        Self { resolver: Resolver::new(servers).map_err(Arc::new) }
    }

    /// The target group of the records of a name.
    pub async fn group(&self, question: &DnsQuestion) -> Result<SourceGroup, LookupError> {
        let resolver = self.resolver.as_ref().map_err(Arc::clone)?;
        resolver.records(question).await.map(|records| question.group(&records))
    }
}

fn of_servers(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        connections.iter_mut().for_each(|connection| connection.port = server.port());
        NameServerConfig::new(server.ip(), true, connections)
    });
    ResolverConfig::from_parts(None, Vec::new(), servers.collect())
}

/// The response of a server for a name.
enum Said {
    Records(Vec<Record>),
    NoSuchName,
}

impl Resolver {
    fn new(servers: &[SocketAddr]) -> Result<Self, NetError> {
        let (config, mut options) =
            if servers.is_empty() { read_system_conf()? } else { (of_servers(servers), ResolverOpts::default()) };
        options.cache_size = 0;
        options.timeout = TIMEOUT;
        options.use_hosts_file = ResolveHosts::Never;
        let dots = options.ndots;
        let search = config.search().iter().map(rr::Name::to_ascii).collect();
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let resolver = builder.with_options(options).build()?;
        Ok(Self { resolver, search, dots })
    }

    async fn records(&self, question: &DnsQuestion) -> Result<Vec<Record>, LookupError> {
        let mut failure = None;
        for name in self.candidates(&question.name) {
            match self.ask(&name, question.record).await {
                Ok(Said::Records(records)) => return Ok(records),
                Ok(Said::NoSuchName) => {}
                Err(source) => failure = Some(LookupError::Failed { name, source: Arc::new(source) }),
            }
        }
        failure.map_or(Ok(Vec::new()), Err)
    }

    /// The full names to try for a name, in order of preference.
    fn candidates(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let searched = self.search.iter().map(|domain| format!("{name}.{}.", domain.trim_end_matches('.')));
        let itself = [format!("{name}.")].into_iter();
        if name.matches('.').count() >= self.dots {
            itself.chain(searched).collect()
        } else {
            searched.chain(itself).collect()
        }
    }

    async fn ask(&self, name: &str, record: RecordType) -> Result<Said, NetError> {
        let kind = match record {
            RecordType::Srv => rr::RecordType::SRV,
            RecordType::A => rr::RecordType::A,
            RecordType::Aaaa => rr::RecordType::AAAA,
            RecordType::Mx => rr::RecordType::MX,
            RecordType::Ns => rr::RecordType::NS,
        };
        match self.resolver.lookup(name, kind).await {
            Ok(found) => {
                Ok(Said::Records(found.answers().iter().filter_map(|record| converted(&record.data)).collect()))
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) if nothing.response_code == ResponseCode::NoError => {
                Ok(Said::Records(Vec::new()))
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(nothing)))
                if nothing.response_code == ResponseCode::NXDomain =>
            {
                Ok(Said::NoSuchName)
            }
            Err(error) => Err(error),
        }
    }
}

fn converted(data: &RData) -> Option<Record> {
    match data {
        RData::SRV(srv) => Some(Record::Srv { target: srv.target.to_ascii(), port: srv.port }),
        RData::A(address) => Some(Record::A(address.0)),
        RData::AAAA(address) => Some(Record::Aaaa(address.0)),
        RData::MX(mx) => Some(Record::Mx(mx.exchange.to_ascii())),
        RData::NS(ns) => Some(Record::Ns(ns.0.to_ascii())),
        _ => None,
    }
}

//! Compares consistent hashing in this crate with the Go module `buraksezer/consistent`.
//!
//! Arguments: the files that `tests/peers/cmd/shards` writes with v1.0.0 and v0.10.0 of the module. The first line has
//! the addresses. Each further line has the names of collectors and a hash of the owners. Prints the rings that
//! disagree and the number that agree. Fails if one disagrees.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use serde::Deserialize;
use target_allocator_core::shard::consistent_hashing::Version;
use target_allocator_core::shard::{Collector, Members, Spread, Strategy, TargetKey, assign};
use xxhash_rust::xxh64::Xxh64;
use xxhash_rust::xxh64::xxh64;

#[derive(Deserialize)]
struct Ring {
    members: Vec<String>,
    owners: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(new), Some(old)) = (arguments.next(), arguments.next()) else {
        return Err("usage: shards_differential V1.0.0 V0.10.0".into());
    };
    let (mut agreed, mut total, mut count) = (0, 0, 0);
    let mut out = std::io::stdout().lock();
    for (file, version) in [(new, Version::V1_0), (old, Version::V0_10)] {
        let mut lines = BufReader::new(File::open(file)?).lines();
        let addresses: Vec<String> = serde_json::from_str(&lines.next().ok_or("no addresses")??)?;
        count = addresses.len();
        for line in lines {
            let ring: Ring = serde_json::from_str(&line?)?;
            total += 1;
            if owners(version, &ring.members, &addresses)? == ring.owners {
                agreed += 1;
            } else {
                let members = ring.members.len();
                writeln!(
                    out,
                    "{version:?} with {members} members disagrees; shards -members {members} has the owners"
                )?;
            }
        }
    }
    writeln!(out, "shards: {agreed}/{total} rings agreed, with {count} addresses each")?;
    if agreed == total && total > 0 && count > 0 {
        Ok(())
    } else {
        Err(format!("{} rings disagree", total - agreed).into())
    }
}

/// The hash of the owners, computed like in `tests/peers/cmd/shards`.
fn owners(version: Version, members: &[String], addresses: &[String]) -> Result<String, Box<dyn Error>> {
    let collectors =
        members.iter().map(|name| Collector { name: name.clone(), node: String::new(), zone: String::new() });
    let members = Members::new(collectors.collect());
    let targets: Vec<TargetKey<'_>> = addresses
        .iter()
        .map(|address| TargetKey {
            address: xxh64(address.as_bytes(), 0),
            node: "",
            zone: "",
            weight: 0,
            identity: 0,
            job: 0,
        })
        .collect();
    let strategy = Strategy::Spread { strategy: Spread::ConsistentHashing(version), replicas: 1 };
    let owners = assign(strategy, &members, &targets)?;
    let mut hash = Xxh64::new(0);
    for index in 0..targets.len() {
        let owner = owners.of(index).next().and_then(|owner| members.collectors().get(owner as usize));
        hash.update(owner.ok_or("an address has no owner")?.name.as_bytes());
        hash.update(b"\n");
    }
    Ok(format!("{:016x}", hash.digest()))
}

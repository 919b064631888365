//! What contexts rest on beside the book: sealed settings, the object store, the way out. Each is found by its type.

use std::collections::BTreeSet;
use std::path::Path;

use book::Vault;
use egress::{Egress, Texts};
use http::app::Trouble;
use http::bounds::StoredBytes;
use http::context::States;
use objects::{AtBucket, Objects, Place};
use settings::Settings;

use crate::Fault;
use crate::config::Config;

/// The folder of objects within that of archives, unless `DAYBOOK_OBJECTS` says otherwise.
const OBJECTS: &str = "objects";
/// Where servers listen that no port is named of.
const POSTGRES_PORT: u16 = 5432;
const NATS_PORT: u16 = 4222;

/// Adds them to what is shared.
///
/// # Errors
/// When a setting cannot be worked with, or nothing can be written where objects lie.
pub async fn add(states: &mut States, config: &Config, vault: &Vault) -> Result<(), Fault> {
    states.insert(Settings::new(vault.clone()));
    states.insert(objects(config, vault).await?);
    states.insert(StoredBytes {
        of_tenant_max: config.stored_bytes,
    });
    states.insert(way_out(config)?);
    Ok(())
}

/// What is wrong with them, for health checks.
#[must_use]
pub fn troubles(states: &States) -> Vec<Trouble> {
    let objects = states.get::<Objects>().cloned();
    let of_objects = objects.map(|objects| Box::new(move || objects.trouble()) as Trouble);
    of_objects.into_iter().collect()
}

/// The object store.
///
/// # Errors
/// When nothing can be written there.
pub async fn objects(config: &Config, vault: &Vault) -> Result<Objects, Fault> {
    Objects::open(&place(config)?, vault.clone()).await.map_err(refused)
}

fn place(config: &Config) -> Result<Place, Fault> {
    match &config.objects {
        Some(place) => Ok(match place.parse().map_err(refused)? {
            Place::Bucket(bucket) => Place::Bucket(AtBucket {
                access_key_id: config.bucket_key_id.as_ref().map(|id| id.reveal().to_owned()),
                secret_access_key: config.bucket_key.as_ref().map(|key| key.reveal().to_owned()),
                ..bucket
            }),
            folder @ Place::Folder(_) => folder,
        }),
        None => {
            let archive = std::path::absolute(&config.archive).map_err(|error| {
                Fault::setting(format!(
                    "DAYBOOK_ARCHIVE cannot be resolved ({error}); write an absolute path"
                ))
            })?;
            Ok(Place::Folder(archive.join(OBJECTS)))
        }
    }
}

fn way_out(config: &Config) -> Result<Egress, Fault> {
    let text = |setting: &Option<String>| setting.clone().unwrap_or_default();
    let [private_networks, ports, plain_http, calls, calls_of_tenant] = [
        text(&config.egress_private_networks),
        text(&config.egress_ports),
        text(&config.egress_plain_http),
        text(&config.egress_calls),
        text(&config.egress_calls_of_tenant),
    ];
    let extra_roots = config
        .egress_ca_file
        .as_deref()
        .map(read)
        .transpose()?
        .unwrap_or_default();
    let texts = Texts {
        private_networks: &private_networks,
        ports: &ports,
        plain_http: &plain_http,
        own: &own(config)?,
        extra_roots: &extra_roots,
        calls: &calls,
        calls_of_tenant: &calls_of_tenant,
    };
    let settings = egress::Settings::from_texts(&texts).map_err(refused)?;
    Egress::new(settings).map_err(refused)
}

fn read(file: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(file).map_err(|error| {
        Fault::setting(format!(
            "{} names {}, which cannot be read: {error}",
            egress::CA_FILE,
            file.display()
        ))
    })
}

/// Where Daybook's own database and bus listen: nobody's calls go there.
fn own(config: &Config) -> Result<Vec<String>, Fault> {
    let mut own = BTreeSet::new();
    let logins = config.logins()?;
    for login in [&logins.writer, &logins.projector, &logins.reader] {
        let (host, port) = (login.get_host(), login.get_port());
        // One that is reached through a file is not reached by anybody's call.
        if !host.starts_with('/') && !host.is_empty() {
            own.insert(named(host, if port == 0 { POSTGRES_PORT } else { port }));
        }
    }
    if let Some(nats) = &config.nats_url {
        for server in nats.reveal().split(',') {
            let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
            let authority = rest.split('/').next().unwrap_or_default();
            let authority = authority.rsplit('@').next().unwrap_or_default();
            let (host, port) = match authority.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(NATS_PORT)),
                Some(_) | None => (authority, NATS_PORT),
            };
            if !host.is_empty() {
                own.insert(named(host.trim_matches(['[', ']']), port));
            }
        }
    }
    Ok(own.into_iter().collect())
}

fn named(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

fn refused(error: impl std::fmt::Display) -> Fault {
    Fault::setting(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secrets::tests::found;

    #[test]
    fn a_bucket_is_asked_with_the_key_of_the_settings_and_a_folder_with_none() {
        let mut config = found(&[("AWS_ACCESS_KEY_ID", "somebody"), ("AWS_SECRET_ACCESS_KEY", "hunter2")]).unwrap();
        config.objects = Some("s3://content/daybook".to_owned());
        let Place::Bucket(bucket) = place(&config).unwrap() else {
            panic!("a bucket");
        };
        assert_eq!(bucket.access_key_id.as_deref(), Some("somebody"));
        assert_eq!(bucket.secret_access_key.as_deref(), Some("hunter2"));
        assert_eq!((bucket.name.as_str(), bucket.prefix.as_str()), ("content", "daybook"));
        config.objects = Some("/var/lib/daybook/objects".to_owned());
        assert_eq!(
            place(&config).unwrap(),
            Place::Folder("/var/lib/daybook/objects".into())
        );
    }
}

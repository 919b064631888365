//! Daybook's own database and bus, which nobody calls, wherever they are.

use std::net::UdpSocket;
use std::sync::Arc;

use egress::{Allowed, Egress, EgressError, Refusal, Settings, Texts};

use crate::servers::{OK, Script, Server, TENANT, get, open};

fn settings(own: &str) -> Settings {
    Settings::from_texts(&Texts {
        private_networks: "127.0.0.0/8,10.0.0.0/8,::1/128,fd00::/8",
        ports: "5432,9090",
        own: &[own.to_owned()],
        ..Texts::default()
    })
    .unwrap()
}

async fn checked(way_out: &Egress, host: &str, port: u16) -> Result<(), EgressError> {
    let allowed = Allowed::new([host]).unwrap();
    way_out.check_target(TENANT, &allowed, host, port).await.map(drop)
}

const REFUSED: Result<(), EgressError> = Err(EgressError::Refused(Refusal::Own));

#[tokio::test]
async fn the_own_database_is_refused_by_every_address_of_its_machine() {
    let way_out = Egress::new(settings("127.0.0.1:5432")).unwrap();
    for host in [
        "127.0.0.1",
        "127.0.0.2",
        "127.255.255.254",
        "::1",
        "[::1]",
        "localhost",
        "0x7f.1",
        "2130706433",
    ] {
        assert_eq!(checked(&way_out, host, 5432).await, REFUSED, "{host}");
        assert_eq!(checked(&way_out, host, 9090).await, Ok(()), "{host} at another port");
    }
}

#[tokio::test]
async fn the_own_database_is_refused_by_the_address_that_others_reach_this_machine_by() {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // A machine without a network has no such address.
    if socket.connect("192.0.2.1:9").is_err() {
        return;
    }
    let address = socket.local_addr().unwrap().ip();
    let settings = settings("127.0.0.1:5432");
    let way_out = Egress::new(settings).unwrap();
    assert_eq!(checked(&way_out, &address.to_string(), 5432).await, REFUSED);
}

#[tokio::test]
async fn a_database_that_moves_is_refused_where_it_is_and_where_it_was_last_seen() {
    let names = Script::new(&[("db.internal", &["10.0.0.5", "10.0.0.6", ""])]);
    let way_out = Egress::with_names(settings("db.internal:5432"), Arc::clone(&names) as _).unwrap();
    assert_eq!(checked(&way_out, "10.0.0.5", 5432).await, REFUSED);
    assert_eq!(checked(&way_out, "10.0.0.6", 5432).await, REFUSED);
    // Nothing is found any more, so that what was found last stands.
    assert_eq!(checked(&way_out, "10.0.0.6", 5432).await, REFUSED);
    assert_eq!(checked(&way_out, "10.0.0.7", 5432).await, Ok(()));
}

#[tokio::test]
async fn another_name_of_the_database_is_the_database() {
    let names = Script::new(&[
        ("db.internal", &["10.0.0.5 fd00::5"]),
        ("innocent.test", &["10.0.0.9 fd00::5"]),
    ]);
    let way_out = Egress::with_names(settings("db.internal:5432"), names).unwrap();
    assert_eq!(checked(&way_out, "innocent.test", 5432).await, REFUSED);
    assert_eq!(checked(&way_out, "innocent.test", 9090).await, Ok(()));
}

#[tokio::test]
async fn a_database_with_a_public_address_is_the_database_too() {
    let names = Script::new(&[("db.cloud.test", &["52.1.2.3"])]);
    let way_out = Egress::with_names(settings("db.cloud.test:5432"), names).unwrap();
    for host in ["52.1.2.3", "::ffff:52.1.2.3", "64:ff9b::52.1.2.3"] {
        assert_eq!(checked(&way_out, host, 5432).await, REFUSED, "{host}");
    }
}

#[tokio::test]
async fn while_the_database_was_never_found_its_port_is_not_called_and_others_are() {
    let names = Script::new(&[]);
    let way_out = Egress::with_names(settings("db.internal:5432"), Arc::clone(&names) as _).unwrap();
    let unknown = Err(EgressError::Refused(Refusal::OwnUnknown));
    assert_eq!(checked(&way_out, "10.0.0.7", 5432).await, unknown);
    assert_eq!(checked(&way_out, "10.0.0.7", 443).await, Ok(()));
    names.say("db.internal", &["10.0.0.5"]);
    assert_eq!(checked(&way_out, "10.0.0.7", 5432).await, Ok(()));
}

#[tokio::test]
async fn no_request_reaches_what_is_daybooks_own() {
    let server = Server::saying(OK).await;
    let mut settings = open(&[server.address.port()]);
    settings.own.push(server.address.to_string().parse().unwrap());
    let way_out = Egress::new(settings).unwrap();
    let allowed = Allowed::new(["127.0.0.1"]).unwrap();
    let error = way_out.call(TENANT, &allowed, get(server.url("/"))).await.unwrap_err();
    assert_eq!(error, EgressError::Refused(Refusal::Own));
    assert!(server.requests().is_empty());
}

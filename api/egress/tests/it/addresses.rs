//! Names that the system itself looks up.

use egress::{Allowed, Egress, EgressError, Kind, Refusal, Unreachable};

use crate::servers::{OK, Server, TENANT, get, open};

#[tokio::test]
async fn a_name_of_the_system_is_called_when_its_network_is_named() {
    let server = Server::saying(OK).await;
    let port = server.address.port();
    let allowed = Allowed::new(["localhost"]).unwrap();
    let mut settings = open(&[port]);
    settings.private_networks.push("::1/128".parse().unwrap());
    settings.plain_http.push("localhost".parse().unwrap());
    let way_out = Egress::new(settings).unwrap();
    let answer = way_out
        .call(TENANT, &allowed, get(format!("http://localhost:{port}/")))
        .await;
    assert_eq!(answer.unwrap().body, b"ok");
}

#[tokio::test]
async fn this_machine_is_not_called_unless_it_is_named() {
    let server = Server::saying(OK).await;
    let port = server.address.port();
    let mut settings = open(&[port]);
    settings.private_networks.clear();
    let way_out = Egress::new(settings).unwrap();
    let allowed = Allowed::new(["localhost"]).unwrap();
    let error = way_out
        .call(TENANT, &allowed, get(format!("http://localhost:{port}/")))
        .await
        .unwrap_err();
    assert_eq!(error, EgressError::Refused(Refusal::NotNamed(Kind::Loopback)));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_name_that_nobody_has_is_told() {
    let way_out = Egress::new(open(&[])).unwrap();
    let allowed = Allowed::new(["*.example.invalid"]).unwrap();
    let error = way_out
        .check_target(TENANT, &allowed, "a.example.invalid", 443)
        .await
        .unwrap_err();
    let is_told = matches!(
        error,
        EgressError::Unreachable(Unreachable::LookUp | Unreachable::NoAddress)
            | EgressError::Timeout(egress::Stage::LookUp)
    );
    assert!(is_told && error.is_certain_not_sent(), "{error:?}");
}

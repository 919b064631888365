//! Names that answer differently the second time, and names with several addresses.

use std::sync::Arc;

use egress::{Allowed, Egress, EgressError, Kind, Refusal};

use crate::servers::{OK, Script, Server, TENANT, get, open};

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked() {
    let checked = Server::saying(OK).await;
    let port = checked.address.port();
    // What the name would lead to when it is looked up again.
    let other = Server::at(&format!("127.0.0.2:{port}"), |_| async { Ok(()) }).await;
    let names = Script::new(&[("rebinds.test", &["127.0.0.1", "127.0.0.2"])]);
    let way_out = Egress::with_names(open(&[port]), Arc::clone(&names) as _).unwrap();
    let allowed = Allowed::new(["rebinds.test"]).unwrap();
    let answer = way_out
        .call(TENANT, &allowed, get(format!("http://rebinds.test:{port}/")))
        .await;
    assert_eq!(answer.unwrap().body, b"ok");
    assert_eq!(*names.asked.lock().unwrap(), ["rebinds.test"], "looked up once");
    assert!(checked.requests()[0].contains(&format!("host: rebinds.test:{port}\r\n")));
    assert!(other.requests().is_empty());
    // The next call looks it up anew, and goes where that leads.
    drop(
        way_out
            .call(TENANT, &allowed, get(format!("http://rebinds.test:{port}/")))
            .await,
    );
    assert_eq!((checked.requests().len(), other.requests().len()), (1, 1));
}

#[tokio::test]
async fn a_name_that_turns_to_a_metadata_service_is_refused_then() {
    let server = Server::saying(OK).await;
    let port = server.address.port();
    let names = Script::new(&[("rebinds.test", &["127.0.0.1", "169.254.169.254"])]);
    let way_out = Egress::with_names(open(&[port]), names).unwrap();
    let allowed = Allowed::new(["rebinds.test"]).unwrap();
    let call = || get(format!("http://rebinds.test:{port}/"));
    assert!(way_out.call(TENANT, &allowed, call()).await.is_ok());
    let error = way_out.call(TENANT, &allowed, call()).await.unwrap_err();
    assert_eq!(error, EgressError::Refused(Refusal::Never(Kind::Metadata)));
}

#[tokio::test]
async fn one_bad_address_among_good_ones_refuses_the_name() {
    let server = Server::saying(OK).await;
    let port = server.address.port();
    let names = Script::new(&[
        ("mixed.test", &["127.0.0.1 8.8.8.8 10.0.0.1"]),
        ("late.test", &["8.8.8.8 2606:4700::1111 fe80::1"]),
    ]);
    let way_out = Egress::with_names(open(&[port]), names).unwrap();
    for (name, refusal) in [
        ("mixed.test", Refusal::NotNamed(Kind::Private)),
        ("late.test", Refusal::Never(Kind::LinkLocal)),
    ] {
        let allowed = Allowed::new([name]).unwrap();
        let error = way_out
            .call(TENANT, &allowed, get(format!("https://{name}:{port}/")))
            .await
            .unwrap_err();
        assert_eq!(error, EgressError::Refused(refusal), "{name}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn http_is_spoken_only_when_all_addresses_are_in_networks_for_it() {
    let server = Server::saying(OK).await;
    let port = server.address.port();
    let names = Script::new(&[("half.test", &["127.0.0.1 8.8.8.8"])]);
    let way_out = Egress::with_names(open(&[port]), names).unwrap();
    let allowed = Allowed::new(["half.test"]).unwrap();
    let error = way_out
        .call(TENANT, &allowed, get(format!("http://half.test:{port}/")))
        .await
        .unwrap_err();
    assert_eq!(error, EgressError::Refused(Refusal::Scheme));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn the_next_address_is_tried_where_the_first_does_not_answer() {
    let server = Server::saying(OK).await;
    let port = server.address.port();
    let names = Script::new(&[("two.test", &["127.0.0.9 127.0.0.1"])]);
    let way_out = Egress::with_names(open(&[port]), names).unwrap();
    let allowed = Allowed::new(["two.test"]).unwrap();
    let answer = way_out
        .call(TENANT, &allowed, get(format!("http://two.test:{port}/")))
        .await;
    assert_eq!(answer.unwrap().body, b"ok");
}

#[tokio::test]
async fn a_name_with_more_addresses_than_are_checked_is_refused() {
    let many = (1..=65)
        .map(|last| format!("8.8.8.{last}"))
        .collect::<Vec<_>>()
        .join(" ");
    let names = Script::new(&[("many.test", &[&many])]);
    let way_out = Egress::with_names(open(&[]), names).unwrap();
    let allowed = Allowed::new(["many.test"]).unwrap();
    let error = way_out
        .check_target(TENANT, &allowed, "many.test", 443)
        .await
        .unwrap_err();
    assert_eq!(error, EgressError::Refused(Refusal::Addresses));
}

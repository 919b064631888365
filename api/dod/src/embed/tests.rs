//! Over real sockets: every behaviour of an embedding server is what is made of it.

use std::time::{Duration, Instant};

use dod_skills::model::BadAnswer;
use dod_skills::vectors::cosine;
use egress::{Egress, EgressError, Settings, Texts};
use reactors::Done;
use uuid::Uuid;

use super::endpoint::{Endpoint, NoVectors};
use super::stand_in::{Behaviour, StandIn};
use crate::outward::OutwardError;

const TENANT: Uuid = Uuid::from_u128(1);
const MEANINGS: [&[&str]; 2] = [&["disk", "cannot write"], &["certificate", "expired"]];

/// A way out that may reach what listens on this machine.
fn egress(stand_in: &StandIn) -> Egress {
    let port = stand_in
        .base()
        .rsplit_once(':')
        .unwrap()
        .1
        .trim_end_matches("/v1")
        .to_owned();
    let texts = Texts {
        private_networks: "127.0.0.0/8",
        plain_http: "127.0.0.0/8",
        ports: &port,
        ..Texts::default()
    };
    Egress::new(Settings::from_texts(&texts).unwrap()).unwrap()
}

async fn ask(stand_in: &StandIn, texts: &[&str], seconds: u64) -> Result<Vec<Vec<f32>>, NoVectors> {
    let endpoint = Endpoint::new(&stand_in.base(), "test-1", None).unwrap();
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    endpoint.vectors(&egress(stand_in), TENANT, &texts, seconds).await
}

#[tokio::test]
async fn texts_that_mean_the_same_are_near() {
    let stand_in = StandIn::start(&MEANINGS).await.unwrap();
    let made = ask(&stand_in, &["Disk full", "The box cannot write", "It expired"], 5)
        .await
        .unwrap();
    assert!(cosine(&made[0], &made[1]) > 0.9);
    assert!(cosine(&made[0], &made[2]) < 0.1);
    assert_eq!(stand_in.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn a_bad_day_of_the_server_is_told_and_brings_no_vector() {
    let stand_in = StandIn::start(&MEANINGS).await.unwrap();
    let number = |text: &str| Behaviour::Number { text: text.to_owned() };
    let later = Done::throttled(Duration::from_secs(7), "the embedding server answered 429");
    let code = "server_error".to_owned();
    for (behaviour, told, done) in [
        (Behaviour::TooMany { seconds: 7 }, "answered 429", Some(later)),
        (
            Behaviour::ErrorIn200 { code: code.clone() },
            "answered 200 with an error (server_error)",
            None,
        ),
        (
            Behaviour::Error { status: 500, code },
            "answered 500 (server_error)",
            None,
        ),
        (Behaviour::Status { code: 502 }, "answered 502", None),
        (Behaviour::Half, "broke off", None),
        (
            Behaviour::Numbers { count: 768 },
            "vectors of 768 numbers, and 1536 are needed",
            None,
        ),
        (number("NaN"), "something else than vectors", None),
        (number("1e999"), "something else than vectors", None),
        (Behaviour::Zero, "zero in every place", None),
        (Behaviour::Fewer, "1 vectors for 2 texts", None),
        (Behaviour::Large { bytes: 3 << 20 }, "more than 2097152 bytes", None),
    ] {
        stand_in.script([behaviour.clone()]);
        let error = ask(&stand_in, &["Disk full", "It expired"], 5).await.unwrap_err();
        assert!(error.to_string().contains(told), "{behaviour:?}: {error}");
        assert!(!error.to_string().contains("sk-secret"), "{error}");
        if let Some(done) = done {
            assert_eq!(error.done().unwrap(), done);
        }
    }
}

#[tokio::test]
async fn numbers_that_are_huge_still_make_a_vector_that_can_be_compared() {
    let stand_in = StandIn::start(&MEANINGS).await.unwrap();
    stand_in.script([Behaviour::Number {
        text: "1e300".to_owned(),
    }]);
    let made = ask(&stand_in, &["Disk full"], 5).await.unwrap();
    assert!(cosine(&made[0], &made[0]) > 0.999);
}

#[tokio::test]
async fn a_server_that_hangs_is_left_after_the_time_given() {
    let stand_in = StandIn::start(&MEANINGS).await.unwrap();
    stand_in.always(Behaviour::Hang);
    let begun = Instant::now();
    let error = ask(&stand_in, &["Disk full"], 1).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(
        matches!(error, NoVectors::Outward(OutwardError::Egress(EgressError::Timeout(_)))),
        "{error:?}"
    );
    assert!(matches!(error.done().unwrap(), Done::Again { counts: true, .. }));
}

#[tokio::test]
async fn a_key_that_is_not_taken_makes_a_dead_letter_at_once() {
    let stand_in = StandIn::start(&MEANINGS).await.unwrap();
    stand_in.want_key("sk-right");
    let error = ask(&stand_in, &["Disk full"], 5).await.unwrap_err();
    assert!(
        matches!(
            &error,
            NoVectors::Answer {
                bad: BadAnswer::Status { status: 401, .. },
                ..
            }
        ),
        "{error:?}"
    );
    assert!(matches!(error.done().unwrap(), Done::Dead { .. }));
}

#[test]
fn an_address_says_where_vectors_are_from_and_not_how_it_is_reached() {
    let endpoint = Endpoint::new("https://api.example.com/secret/v1/", "text-embedding-3-small", None).unwrap();
    assert_eq!(endpoint.name(), "text-embedding-3-small at api.example.com");
    assert!(!format!("{endpoint:?}").contains("secret"));
    for (base, model) in [
        ("api.example.com", "m"),
        ("https://api.example.com/v1?key=1", "m"),
        ("https://api.example.com/v1", "m\n"),
        ("https://api.example.com/v1", &*"m".repeat(300)),
    ] {
        assert!(Endpoint::new(base, model, None).is_err(), "{base} {model}");
    }
}

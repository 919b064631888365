use chrono::TimeDelta;
use serde_json::json;

use super::*;
use domain::Facts;
use identity::user;
use rehearsal::given::{given, state};

const USER: Uuid = Uuid::from_u128(0x11);
const NOON: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_614_400_000_000_000);

fn connect(fields: serde_json::Value) -> Command {
    let mut connect = json!({"device_id": "truck-001", "connection_type": "websocket"});
    connect
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    serde_json::from_value(json!({"connect": connect})).unwrap()
}

fn connected(user_id: Option<Uuid>, ip_address: Option<IpAddr>, connected_at: DateTime<Utc>) -> Event {
    Event::DeviceConnected {
        device_id: "truck-001".to_owned(),
        user_id,
        connection_type: ConnectionType::Websocket,
        ip_address,
        connected_at,
    }
}

fn user(events: impl IntoIterator<Item = serde_json::Value>) -> Facts {
    let registered = json!({"UserRegistered": {"email": "ben@example.com", "name": "Ben"}});
    let events = std::iter::once(registered).chain(events);
    let events = events.map(|event| serde_json::from_value::<user::Event>(event).unwrap());
    Facts::default().with(USER, state::<User>(events))
}

/// Disconnected so long after connecting: the seconds that are booked.
fn lasted(delta: TimeDelta) -> i32 {
    let disconnect = Command::Disconnect {
        disconnected_at: Some(NOON + delta),
    };
    let events = given::<DeviceConnection>([connected(None, None, NOON)])
        .when(disconnect)
        .events();
    match events.as_slice() {
        [
            Event::DeviceDisconnected {
                session_duration_seconds,
                ..
            },
        ] => *session_duration_seconds,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_connects_with_its_user_and_address() {
    let address: IpAddr = "2001:db8::7".parse().unwrap();
    given::<DeviceConnection>([])
        .with_facts(user([]))
        .at(NOON)
        .when(connect(json!({"user_id": USER, "ip_address": "2001:DB8::7"})))
        .then([connected(Some(USER), Some(address), NOON)]);
    assert!(serde_json::from_value::<Command>(json!({"connect": {"ip_address": "10.0.0.300"}})).is_err());
}

#[test]
fn only_an_active_user_connects() {
    for facts in [Facts::default(), user([json!({"UserDeactivated": {}})])] {
        given::<DeviceConnection>([])
            .with_facts(facts)
            .at(NOON)
            .when(connect(json!({"user_id": USER})))
            .refused(Refusal::NotActive);
    }
}

#[test]
fn a_connection_is_told_of_once() {
    given::<DeviceConnection>([connected(None, None, NOON)])
        .when(connect(json!({})))
        .refused(Refusal::AlreadyConnected);
}

#[test]
fn a_session_lasts_whole_seconds() {
    assert_eq!(lasted(TimeDelta::milliseconds(61_999)), 61);
}

#[test]
fn a_session_never_lasts_less_than_nothing_nor_more_than_its_column_holds() {
    assert_eq!(lasted(TimeDelta::seconds(-90)), 0);
    assert_eq!(lasted(TimeDelta::days(365 * 100)), i32::MAX);
}

#[test]
fn a_connection_ends_once() {
    let ended = Event::DeviceDisconnected {
        disconnected_at: NOON,
        session_duration_seconds: 0,
    };
    let end = || Command::Disconnect { disconnected_at: None };
    given::<DeviceConnection>([connected(None, None, NOON), ended])
        .when(end())
        .then([]);
    given::<DeviceConnection>([]).when(end()).refused(Refusal::NotConnected);
}

#[test]
fn times_fit_their_columns() {
    let unfit = Unfit::Form("must lie in the years 2000 to 9999");
    given::<DeviceConnection>([])
        .when(connect(json!({"connected_at": "1999-12-31T23:59:59Z"})))
        .refused(Refusal::Unfit {
            field: "connected_at",
            unfit: unfit.clone(),
        });
    given::<DeviceConnection>([connected(None, None, NOON)])
        .when(Command::Disconnect {
            disconnected_at: Some(DateTime::<Utc>::MAX_UTC),
        })
        .refused(Refusal::Unfit {
            field: "disconnected_at",
            unfit,
        });
}

#[test]
fn only_what_is_connected_is_disconnected() {
    let ended = Event::DeviceDisconnected {
        disconnected_at: NOON,
        session_duration_seconds: 0,
    };
    let offered = |past: Vec<Event>| given::<DeviceConnection>(past).offered();
    assert_eq!(offered(vec![]), ["connect"]);
    assert_eq!(offered(vec![connected(None, None, NOON)]), ["disconnect"]);
    assert_eq!(offered(vec![connected(None, None, NOON), ended]), ["disconnect"]);
}
